public import Dictionaries
public import Gemma
import Sites
import Tensors

/// Measures what replacing activations does to the model's next-token predictions.
///
/// A prediction counts when the token predicted is not special; activations are replaced at tokens that are not special.
/// All runs of a sequence are held as final residual streams and unembedded together, piece by piece, so that the
/// unchanged model's logits are formed once.
public struct LossMeasurement {
  public let model: GemmaModel
  public let dictionaries: [SparseDictionary]
  public let specialTokens: Set<Int32>
  public let replacements: [Replacement]
  private let means: SiteMeans
  private let plans: [Replacement: InterventionPlan]

  /// The unchanged model.
  public private(set) var clean = Losses()
  /// With each of `replacements`.
  public private(set) var replaced: [Replacement: Losses]

  /// - Parameter means: of every site that a `.mean` replacement names.
  /// - Throws: `EvaluationError.missing` for a mean, a dictionary or a write that is not there, `GemmaError.intervention`
  ///   for dictionaries that do not fit.
  public init(
    _ model: GemmaModel, dictionaries: [SparseDictionary], specialTokens: Set<Int32>, replacements: [Replacement],
    means: SiteMeans
  ) throws {
    self.model = model
    self.dictionaries = dictionaries
    self.specialTokens = specialTokens
    self.replacements = replacements
    self.means = means
    replaced = Dictionary(replacements.map { ($0, Losses()) }) { first, _ in first }
    var plans: [Replacement: InterventionPlan] = [:]
    func dictionary(_ index: Int) throws -> SparseDictionary {
      guard dictionaries.indices ~= index else { throw EvaluationError.missing(what: "dictionaries \(index)") }
      return dictionaries[index]
    }
    for replacement in replacements {
      switch replacement {
      case .zero: break
      case .mean(let sites):
        for site in sites where means.mean(of: site) == nil {
          throw EvaluationError.missing(what: "mean activations of \(site)")
        }
      case .reconstruction(let index, let write):
        guard try dictionary(index).shape.writes.indices ~= write else {
          throw EvaluationError.missing(what: "writes \(write) of \(dictionaries[index].name)")
        }
      case .splice(let indices):
        let chosen = try indices.map(dictionary)
        let list = chosen.map { Intervention(.splice, .dictionary($0.name)) }
        plans[replacement] = try InterventionPlan(
          InterventionList(list), dictionaries: chosen, model: model, specialTokens: specialTokens)
      }
    }
    self.plans = plans
  }

  /// Passes of the model over each sequence.
  public var passes: Int { 1 + replacements.count }

  /// Runs one sequence with every replacement.
  /// - Parameters:
  ///   - clean: a run of the unchanged model over it, with its final residual stream and what the dictionaries read;
  ///     made here when nil.
  ///   - check: called between layers and pieces.
  ///   - progress: told of the passes done, out of `passes`.
  public mutating func add(
    _ ids: [Int32], clean: ForwardResult? = nil, check: CancellationCheck = {},
    progress: (Int) throws -> Void = { _ in }
  ) throws {
    let rows = ids.indices.filter { !specialTokens.contains(ids[$0]) }
    let predicting = ids.indices.dropLast().filter { !specialTokens.contains(ids[$0 + 1]) }
    let sites = Set(dictionaries.flatMap { $0.shape.reads })
    let first = try clean ?? model.forward([ids], capture: sites, logits: .residual, check: check)
    guard let residual = first.residual else { throw EvaluationError.missing(what: "residual streams") }
    try progress(1)
    let activations = CapturedActivations(first.activations)
    var outputs: [Int: [Tensor]] = [:]
    var changed: [Tensor] = []
    for (index, replacement) in replacements.enumerated() {
      let visitor = try visitor(replacement, activations, tokens: ids.count, rows: rows, &outputs)
      let run = try model.forward([ids], logits: .residual, visitor: visitor, check: check)
      guard let residual = run.residual else { throw EvaluationError.missing(what: "residual streams") }
      changed.append(residual)
      try progress(index + 2)
    }
    try compare(residual, changed, ids, predicting, check: check)
  }

  private func visitor(
    _ replacement: Replacement, _ activations: CapturedActivations, tokens: Int, rows: [Int],
    _ outputs: inout [Int: [Tensor]]
  ) throws -> any SiteVisitor {
    let backend = model.backend
    func everywhere(_ sites: [Site], _ value: (Site) -> [Float]?) throws -> ReplacingVisitor {
      var values: [Site: Tensor] = [:]
      for site in sites {
        let width = model.shape.width(of: site)
        let row = value(site) ?? [Float](repeating: 0, count: width)
        values[site] = try backend.tensor((0..<tokens).flatMap { _ in row }, shape: [tokens, width])
      }
      return ReplacingVisitor(values, rows: rows, backend: backend)
    }
    switch replacement {
    case .reconstruction(let index, let write):
      let dictionary = dictionaries[index]
      let made = try outputs[index] ?? dictionary.reconstruct(activations.at(dictionary.shape.reads)).outputs
      outputs[index] = made
      return ReplacingVisitor([dictionary.shape.writes[write]: made[write]], rows: rows, backend: backend)
    case .splice:
      guard let plan = plans[replacement] else { throw EvaluationError.missing(what: "plans of \(replacement)") }
      return plan.visitor()
    case .mean(let sites): return try everywhere(sites, means.mean)
    case .zero(let sites): return try everywhere(sites) { _ in nil }
    }
  }

  private mutating func compare(
    _ residual: Tensor, _ changed: [Tensor], _ ids: [Int32], _ rows: [Int], check: CancellationCheck
  ) throws {
    let backend = model.backend
    typealias Prediction = (position: Int, crossEntropy: Double, divergence: Double)
    var predictions = [[Prediction]](repeating: [], count: changed.count + 1)
    for start in stride(from: 0, to: rows.count, by: model.rowsUnembeddedAtOnce) {
      try check()
      let piece = Array(rows[start..<min(start + model.rowsUnembeddedAtOnce, rows.count)])
      let next = piece.map { ids[$0 + 1] }
      let clean = try model.unembed(backend.select(residual, rows: piece))
      let cleanSums = try backend.logSumExp(clean)
      for (position, loss) in zip(piece, try crossEntropies(clean, cleanSums, next)) {
        predictions[0].append((position, loss, 0))
      }
      for (index, residual) in changed.enumerated() {
        let logits = try model.unembed(backend.select(residual, rows: piece))
        let sums = try backend.logSumExp(logits)
        let losses = try crossEntropies(logits, sums, next)
        let divergences = try backend.divergences(clean, logits, logSumExp: (cleanSums, sums))
        for (i, position) in piece.enumerated() {
          predictions[index + 1].append((position, losses[i], divergences[i]))
        }
      }
    }
    clean.add(predictions[0])
    for (replacement, predictions) in zip(replacements, predictions.dropFirst()) {
      replaced[replacement]?.add(predictions)
    }
  }

  /// −log p of the next token of each row of logits, whose log Σ exp is `sums`.
  private func crossEntropies(_ logits: Tensor, _ sums: [Float], _ next: [Int32]) throws -> [Double] {
    let picks = next.enumerated().map { $0.offset * logits.rowLength + Int($0.element) }
    let picked = try model.backend.select(logits.reshaped([logits.count, 1]), rows: picks).read()
    return zip(sums, picked).map { Double($0) - Double($1) }
  }
}
