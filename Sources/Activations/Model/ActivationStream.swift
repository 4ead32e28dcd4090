import Gemma
import Sites
import Tensors
import Tokenization

/// The activations of one batch of sequences, before any shuffling.
struct ActivationBatch {
  /// Where the batch begins.
  let start: SequenceCursor
  /// For each site, rows of all sequences of the batch, [tokens, width].
  let tensors: [Tensor]
  /// The rows to use, ascending.
  let rows: [Int]
  /// For each of `rows` its token, sequence and position.
  let tokens: [Int32]
  let sequences: [Int32]
  let positions: [Int32]
}

/// The sequences of one batch, before the model has run over them.
struct SequenceBatch {
  /// Where the batch begins.
  let start: SequenceCursor
  let sequences: [PackedSequence]
}

/// Runs the model over the sequences of a corpus, batch after batch. A batch depends on nothing but where it begins.
final class ActivationStream {
  let sites: [Site]
  let widths: [Int]
  private let model: GemmaModel
  private let tokenizer: GemmaTokenizer
  private let corpus: Corpus
  private let options: HarvestOptions
  private let check: CancellationCheck
  private var packer: SequencePacker

  init(
    _ model: GemmaModel, tokenizer: GemmaTokenizer, corpus: Corpus, sites: [Site], options: HarvestOptions,
    check: @escaping CancellationCheck
  ) throws {
    try options.validate()
    guard !sites.isEmpty, Set(sites).count == sites.count else {
      throw ActivationError.option(name: "sites", reason: "expected one or several different sites")
    }
    for site in sites { try model.shape.validate(site) }
    if let filter = options.normFilter { try model.shape.validate(filter.site) }
    guard options.packing.context <= model.configuration.maximumPositions else {
      throw ActivationError.option(
        name: "context",
        reason: "\(options.packing.context) tokens are more than the model's \(model.configuration.maximumPositions)")
    }
    self.sites = sites
    widths = sites.map(model.shape.width(of:))
    self.model = model
    self.tokenizer = tokenizer
    self.corpus = corpus
    self.options = options
    self.check = check
    packer = try SequencePacker(corpus, tokenizer: tokenizer, options: options.packing)
  }

  /// Where the next batch begins.
  var cursor: SequenceCursor { packer.cursor }

  func restore(_ cursor: SequenceCursor) throws {
    packer = try SequencePacker(corpus, tokenizer: tokenizer, options: options.packing, at: cursor)
  }

  /// Runs the next batch; nil at the end of the corpus.
  func next() throws -> ActivationBatch? { try pack().map(run) }

  /// Takes the sequences of the next batch; nil at the end of the corpus.
  func pack() throws -> SequenceBatch? {
    let start = packer.cursor
    var packed: [PackedSequence] = []
    while packed.count < options.batch, let sequence = try packer.next() { packed.append(sequence) }
    return packed.isEmpty ? nil : SequenceBatch(start: start, sequences: packed)
  }

  func run(_ batch: SequenceBatch) throws -> ActivationBatch {
    let packed = batch.sequences
    let wanted = Set(sites + [options.normFilter?.site].compactMap { $0 })
    let result = try model.forward(packed.map(\.tokens), capture: wanted, logits: .none, check: check)
    func tensor(_ site: Site) throws -> Tensor {
      guard let tensor = result.activations[site] else {
        throw SiteError.layer(site: site, layers: model.configuration.layers)
      }
      return tensor
    }
    var rows = zip(packed, result.rows.segments).flatMap { sequence, segment in
      sequence.counted.map { segment.lowerBound + $0 }
    }
    if let filter = options.normFilter { rows = try Self.filtered(rows, try tensor(filter.site), filter.factor) }
    let tensors = try sites.map(tensor)
    let owners = zip(packed, result.rows.segments).flatMap { sequence, segment in
      repeatElement(Int32(truncatingIfNeeded: sequence.index), count: segment.count)
    }
    for (site, tensor) in zip(sites, tensors) {
      if let bad = try tensor.firstNonFiniteRow(of: rows) {
        throw ActivationError.notFinite(
          site: "\(site)", sequence: Int(owners[bad]), position: result.rows.positions[bad])
      }
    }
    return ActivationBatch(
      start: batch.start, tensors: tensors, rows: rows, tokens: rows.map { result.rows.tokens[$0] },
      sequences: rows.map { owners[$0] }, positions: rows.map { Int32(result.rows.positions[$0]) })
  }

  /// The rows of `x` whose norm is at most `factor` times the median of theirs.
  private static func filtered(_ rows: [Int], _ x: Tensor, _ factor: Double) throws -> [Int] {
    let norms = try x.withFloats { values in
      rows.map { row in
        let x = values[row * x.rowLength..<(row + 1) * x.rowLength]
        return x.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      }
    }
    guard !norms.isEmpty else { return rows }
    let limit = norms.sorted()[norms.count / 2] * factor
    // A norm that is not a number stays, to be found and named later.
    return zip(rows, norms).filter { !($0.1 > limit) || !$0.1.isFinite }.map(\.0)
  }
}

extension Tensor {
  /// Lends the elements of an fp32 tensor, from wherever it is.
  func withFloats<R>(_ body: (UnsafeBufferPointer<Float>) throws -> R) throws -> R {
    guard dtype == .f32, let bytes = hostBytes else { return try read().withUnsafeBufferPointer(body) }
    return try withExtendedLifetime(self) { try body(bytes.bindMemory(to: Float.self)) }
  }

  /// The first of `rows` that holds a number that is not finite.
  func firstNonFiniteRow(of rows: [Int]) throws -> Int? {
    let length = rowLength
    return try withFloats { values in
      rows.first { row in
        // As whole numbers, so that the loop becomes vector instructions: infinity and what is no number come last.
        var largest: UInt32 = 0
        for i in row * length..<(row + 1) * length { largest = max(largest, values[i].bitPattern & 0x7FFF_FFFF) }
        return largest >= 0x7F80_0000
      }
    }
  }
}
