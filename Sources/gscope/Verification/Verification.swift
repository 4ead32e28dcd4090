import Dictionaries
import Gemma
import Sites
import Tensors

/// How well a dictionary codes a model's activations on some texts (Gemma Scope 2 technical paper, section 4):
/// L0, the fraction of variance unexplained, and the rise of the model's loss when a site's activations are replaced by
/// their reconstruction, one site at a time, at every token that is not special.
struct Verification {
  struct SiteFigures {
    let site: Site
    let fvu: Double?
    /// Cross-entropy with the reconstruction in place minus without, nats a token.
    let deltaLoss: Double?
  }

  let statistics: DictionaryStatistics
  /// Over all tokens, special ones included: `<bos>` has by far the largest activations.
  let withSpecials: DictionaryStatistics
  /// Cross-entropy of the model itself, nats a token; special tokens are not predicted.
  let loss: Double?
  let sites: [SiteFigures]

  init(
    _ dictionary: SparseDictionary, texts: [[Int32]], opened: OpenedModel, splices: Bool, progress: Progress
  ) throws {
    var counted = DictionaryStatistics.Accumulator(dictionary.shape)
    var everything = DictionaryStatistics.Accumulator(dictionary.shape)
    var clean = MeanLoss()
    let writes = dictionary.shape.writes
    var spliced = writes.map { _ in MeanLoss() }
    let steps = Double(1 + (splices ? writes.count : 0))
    for ids in texts {
      let rows = ids.indices.filter { !opened.isSpecial(ids[$0]) }
      let activations = try Activations(ids, sites: Set(dictionary.shape.reads + writes), opened: opened)
      let code = try dictionary.encode(activations.at(dictionary.shape.reads))
      let targets = try activations.at(writes)
      let outputs = try dictionary.decode(code, inputs: activations.at(dictionary.shape.reads))
      try counted.add(code, targets: targets, outputs: outputs, rows: rows)
      try everything.add(code, targets: targets, outputs: outputs, rows: Array(ids.indices))
      try clean.add(activations.residual, ids, opened: opened, progress: progress)
      try progress.advance(by: Double(ids.count) / steps)
      guard splices else { continue }
      for (i, site) in writes.enumerated() {
        let visitor = ReplacingVisitor(
          site: site, values: outputs[i], rows: rows, backend: opened.backend)
        let result = try opened.model.forward([ids], logits: .residual, visitor: visitor) { try Interruption.check() }
        try spliced[i].add(result.residual, ids, opened: opened, progress: progress)
        try progress.advance(by: Double(ids.count) / steps)
      }
    }
    statistics = counted.statistics
    withSpecials = everything.statistics
    let cleanLoss = clean.value
    loss = cleanLoss
    let byWrite = statistics.fvuByWrite
    sites = writes.indices.map { i in
      SiteFigures(
        site: writes[i], fvu: byWrite[i],
        deltaLoss: cleanLoss.flatMap { clean in spliced[i].value.map { $0 - clean } })
    }
  }

  /// Mean over the written sites.
  var deltaLoss: Double? {
    let known = sites.compactMap(\.deltaLoss)
    return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
  }
}

/// The activations of one text at some sites, and the final residual stream.
struct Activations {
  private let tensors: [Site: Tensor]
  let residual: Tensor?

  init(_ ids: [Int32], sites: Set<Site>, opened: OpenedModel) throws {
    let result = try opened.model.forward([ids], capture: sites, logits: .residual) { try Interruption.check() }
    tensors = result.activations
    residual = result.residual
  }

  func at(_ sites: [Site]) throws -> [Tensor] {
    try sites.map { site in
      guard let tensor = tensors[site] else { throw GemmaError.input("no activations at \(site)") }
      return tensor
    }
  }
}

/// Mean cross-entropy of next-token predictions; special tokens are not counted as predicted.
struct MeanLoss {
  private var sum = 0.0
  private var count = 0

  var value: Double? { count > 0 ? sum / Double(count) : nil }

  mutating func add(_ residual: Tensor?, _ ids: [Int32], opened: OpenedModel, progress: Progress) throws {
    guard let residual else { throw GemmaError.input("the model gave no residual stream") }
    let rows = ids.indices.dropLast().filter { !opened.isSpecial(ids[$0 + 1]) }
    let predictions = try PredictionReader(model: opened.model, topK: 0).read(
      residual, rows: rows, following: rows.map { ids[$0 + 1] }, progress: progress)
    for prediction in predictions {
      guard let logprob = prediction.following else { continue }
      sum -= Double(logprob)
      count += 1
    }
  }
}
