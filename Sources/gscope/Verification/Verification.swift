import Dictionaries
import Evaluation
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

  let metrics: ReconstructionMetrics
  /// Over all tokens, special ones included: `<bos>` has by far the largest activations.
  let withSpecials: ReconstructionMetrics
  /// Cross-entropy of the model itself, nats a token; special tokens are not predicted.
  let loss: Double?
  let sites: [SiteFigures]

  init(
    _ dictionary: SparseDictionary, texts: [[Int32]], opened: OpenedModel, splices: Bool, progress: Progress
  ) throws {
    var counted = ReconstructionMeasurement(dictionary.shape)
    var everything = ReconstructionMeasurement(dictionary.shape)
    let writes = dictionary.shape.writes
    let replacements = splices ? writes.indices.map { Replacement.reconstruction(dictionary: 0, write: $0) } : []
    var losses = try LossMeasurement(
      opened.model, dictionaries: [dictionary], specialTokens: opened.specialTokens, replacements: replacements,
      means: SiteMeans())
    let share = 1 / Double(losses.passes)
    for ids in texts {
      let rows = ids.indices.filter { !opened.isSpecial(ids[$0]) }
      let result = try opened.model.forward(
        [ids], capture: Set(dictionary.shape.reads + writes), logits: .residual, check: Interruption.check)
      let activations = CapturedActivations(result.activations)
      let (code, outputs) = try dictionary.reconstruct(activations.at(dictionary.shape.reads))
      let targets = try activations.at(writes)
      try counted.add(code, targets: targets, outputs: outputs, rows: rows)
      try everything.add(code, targets: targets, outputs: outputs, rows: Array(ids.indices))
      try losses.add(ids, clean: result, check: Interruption.check) { _ in
        try progress.advance(by: share * Double(ids.count))
      }
    }
    metrics = counted.metrics
    withSpecials = everything.metrics
    loss = losses.clean.crossEntropy.value
    sites = metrics.sites.enumerated().map { write, site in
      SiteFigures(
        site: site.site, fvu: site.figures.fvu.value,
        deltaLoss: losses.replaced[.reconstruction(dictionary: 0, write: write)]?.delta(from: losses.clean).value)
    }
  }

  /// Mean over the written sites.
  var deltaLoss: Double? {
    let known = sites.compactMap(\.deltaLoss)
    return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
  }
}
