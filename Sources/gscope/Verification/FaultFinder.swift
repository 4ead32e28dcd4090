import Checkpoints
import Dictionaries
import Evaluation
import Foundation
import Gemma
import Sites
import Tensors

/// Tries what commonly goes wrong with a dictionary, to tell which mistake would explain its figures.
struct FaultFinder {
  /// One way of reading dictionary or model.
  struct Variant {
    let name: String
    /// What it would mean if this one fits.
    let meaning: String
    let metrics: ReconstructionMetrics

    var l0: Double? { metrics.l0.value }
    var fvu: Double? { metrics.total.fvu.value }
  }

  let dictionary: SparseDictionary
  let opened: OpenedModel
  let texts: [[Int32]]

  private var shape: DictionaryShape { dictionary.shape }
  private var backend: any Backend { opened.backend }

  /// What one variant makes of one text.
  private struct Trial {
    let name: String
    let meaning: String
    let code: DictionaryCode
    let targets: [Tensor]
    let outputs: [Tensor]
    var countsSpecials = false

    init(_ name: String, _ meaning: String, _ code: DictionaryCode, _ targets: [Tensor], _ outputs: [Tensor]) {
      self.name = name
      self.meaning = meaning
      self.code = code
      self.targets = targets
      self.outputs = outputs
    }
  }

  /// Every variant that applies to this kind of dictionary, measured over all texts.
  func variants() throws -> [Variant] {
    var tried: [(name: String, meaning: String, figures: ReconstructionMeasurement)] = []
    for ids in texts {
      let counted = ids.indices.filter { !opened.isSpecial(ids[$0]) }
      var place = 0
      try trials(ids) { trial in
        if place == tried.count { tried.append((trial.name, trial.meaning, .init(shape))) }
        try tried[place].figures.add(
          trial.code, targets: trial.targets, outputs: trial.outputs,
          rows: trial.countsSpecials ? Array(ids.indices) : counted)
        place += 1
        try Interruption.check()
      }
    }
    return tried.map { Variant(name: $0.name, meaning: $0.meaning, metrics: $0.figures.metrics) }
  }

  /// Hands out what every variant makes of one text, always in the same order.
  private func trials(_ ids: [Int32], _ body: (Trial) throws -> Void) throws {
    let candidates = siteVariants
    let sites = Set(shape.reads + shape.writes + candidates.flatMap { $0.reads + $0.writes })
    let activations = CapturedActivations(
      try opened.model.forward([ids], capture: sites, logits: .none, check: Interruption.check).activations)
    let inputs = try activations.at(shape.reads)
    let targets = try activations.at(shape.writes)
    let code = try dictionary.encode(inputs)
    let outputs = try dictionary.decode(code, inputs: inputs)
    var everything = Trial(
      "special tokens counted", "the figures it is compared with count <bos>", code, targets, outputs)
    everything.countsSpecials = true
    try body(everything)
    if shape.isAffine, shape.inputWidth == shape.outputWidth {
      try body(
        Trial(
          "affine skip transposed", "affine_skip_connection is stored transposed; it is used as x @ skip", code,
          targets, try transposedSkip(inputs, outputs)))
    }
    if shape.isMultiLayer {
      try body(
        Trial(
          "decoder axis relative",
          "the decoder's layer axis counts from the feature's own layer; it should be absolute", code, targets,
          try relativeAxis(code, inputs: inputs)))
    }
    for candidate in candidates {
      let (code, outputs) = try dictionary.reconstruct(try activations.at(candidate.reads))
      try body(Trial(candidate.name, candidate.meaning, code, try activations.at(candidate.writes), outputs))
    }
    if let ungained = try withoutGain(shape.reads, inputs, part: .input) {
      let (code, outputs) = try dictionary.reconstruct(ungained)
      try body(
        Trial(
          "norm without gain", "it was trained on the norm's output before its gain (as Gemma Scope 1 transcoders)",
          code, targets, outputs))
    }
    if let ungained = try withoutGain(shape.writes, targets, part: .output), shape.reads != shape.writes {
      try body(
        Trial(
          "target without gain", "it was trained to write the MLP's output before its second norm's gain", code,
          ungained, outputs))
    }
  }
}

extension FaultFinder {
  private struct SiteVariant {
    let name: String
    let meaning: String
    let reads: [Site]
    let writes: [Site]
  }

  /// The same dictionary at other sites of equal width.
  private var siteVariants: [SiteVariant] {
    let model = opened.model.shape
    let kinds: [Site.Kind] = [.residPost, .mlpIn, .mlpOut, .attnOut]
    func moved(_ sites: [Site], to kind: Site.Kind, by shift: Int) -> [Site]? {
      let moved = sites.map { Site(kind, layer: $0.layer + shift) }
      let fits = moved.allSatisfy { 0..<model.layers ~= $0.layer && model.width(of: $0) == shape.inputWidth }
      return fits ? moved : nil
    }
    func name(_ sites: [Site]) -> String {
      guard sites.count > 1, let first = sites.first, let last = sites.last else {
        return sites.map(\.description).joined()
      }
      return "\(first) … \(last)"
    }
    var variants: [SiteVariant] = []
    let isTranscoder = shape.reads != shape.writes
    for kind in kinds {
      for shift in shape.isMultiLayer ? [0] : [-1, 0, 1] {
        guard let reads = moved(shape.reads, to: kind, by: shift), reads != shape.reads else { continue }
        let writes = isTranscoder ? shape.writes : reads
        variants.append(
          SiteVariant(
            name: "reads \(name(reads))", meaning: "it belongs to \(name(reads)), not to \(name(shape.reads))",
            reads: reads, writes: writes))
      }
    }
    guard isTranscoder, shape.inputWidth == shape.outputWidth else { return variants }
    for kind in [Site.Kind.residPost, .mlpIn] {
      guard let writes = moved(shape.writes, to: kind, by: 0) else { continue }
      variants.append(
        SiteVariant(
          name: "writes \(name(writes))", meaning: "it writes \(name(writes)), not \(name(shape.writes))",
          reads: shape.reads, writes: writes))
    }
    return variants
  }

  /// A tensor of read `read` in Gemma Scope 2's layout.
  private func stored(_ name: String, read: Int) throws -> Tensor {
    try dictionary.plainTensor(name, read: read)
  }

  private func transposedSkip(_ inputs: [Tensor], _ outputs: [Tensor]) throws -> [Tensor] {
    try outputs.indices.map { i in
      let skip = try backend.upload(stored("affine_skip_connection", read: i))
      let without = try backend.add(outputs[i], backend.matmul(inputs[i], skip), scale: -1)
      return try backend.add(without, backend.linear(inputs[i], skip), scale: 1)
    }
  }

  /// Decodes with place j − i of the decoder's axis for what read i writes to write j.
  private func relativeAxis(_ code: DictionaryCode, inputs: [Tensor]) throws -> [Tensor] {
    let width = shape.outputWidth
    let count = shape.writes.count
    let decoders = try (0..<count).map { try backend.upload(stored("w_dec", read: $0)) }
    return try (0..<count).map { write in
      var sum =
        try shape.isAffine
        ? backend.matmul(inputs[write], backend.upload(stored("affine_skip_connection", read: write))) : nil
      for read in 0...write {
        let bias = read == 0 ? try backend.upload(stored("b_dec", read: write)) : nil
        let part = try backend.decode(
          code.layers[read], weight: decoders[read], start: (write - read) * width, rowStride: count * width, d: width,
          bias: bias)
        sum = try sum.map { try backend.add($0, part, scale: 1) } ?? part
      }
      guard let sum else { throw GemmaError.input("a dictionary without layers") }
      return sum
    }
  }

  private enum NormPart {
    case input, output

    var names: [String] {
      self == .input
        ? ["pre_feedforward_layernorm.weight", "ffn_norm.weight"]
        : ["post_feedforward_layernorm.weight", "post_ffw_norm.weight"]
    }
  }

  /// The activations with the norm's gain divided out, where the sites are norm outputs and the gain is found.
  private func withoutGain(_ sites: [Site], _ activations: [Tensor], part: NormPart) throws -> [Tensor]? {
    guard sites.allSatisfy({ $0.kind == (part == .input ? .mlpIn : .mlpOut) }) else { return nil }
    let checkpoint = try GemmaCheckpoint(opened.url)
    return try zip(sites, activations).map { site, x in
      let places = ["layers.\(site.layer).\(part.names[0])", "blk.\(site.layer).\(part.names[1])"]
      guard let name = checkpoint.source.names.first(where: { name in places.contains { name.hasSuffix($0) } }) else {
        return x
      }
      // Hugging Face stores w of 1 + w, GGUF the sum.
      let offset: Float = checkpoint.format == .gguf ? 0 : 1
      let gain = try checkpoint.source.tensor(name).read().map { $0 + offset }
      let values = try x.read()
      return try backend.tensor(
        values.indices.map { values[$0] / (gain[$0 % gain.count] == 0 ? 1 : gain[$0 % gain.count]) }, shape: x.shape)
    }
  }
}
