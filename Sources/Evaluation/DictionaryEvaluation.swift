public import Dictionaries
public import Gemma
import Sites
import Tensors

/// Measures any number of dictionaries on the same sequences: reconstruction, density and other tools' figures over all
/// of them in one pass of the model; then, over the first ones, what replacing activations does to the predictions.
///
/// ```swift
/// let evaluation = DictionaryEvaluation(model, dictionaries: dictionaries, specialTokens: specials)
/// let result = try evaluation.run(sequences)
/// ```
public struct DictionaryEvaluation {
  public enum Splices: String, CaseIterable, Sendable {
    /// No loss is measured.
    case none
    /// Every written site alone, and all that one dictionary writes.
    case each
    /// All dictionaries in place at once.
    case set
    case both
  }

  public struct Options: Equatable, Sendable {
    /// Losses are measured on the first sequences that hold so many tokens together.
    public var lossTokens: Int
    public var splices: Splices
    /// Tokens that are left out of a second set of figures.
    public var outliers: OutlierRule?

    public init(lossTokens: Int = 4096, splices: Splices = .each, outliers: OutlierRule? = nil) {
      self.lossTokens = lossTokens
      self.splices = splices
      self.outliers = outliers
    }
  }

  public let model: GemmaModel
  public let dictionaries: [SparseDictionary]
  public let specialTokens: Set<Int32>
  public let options: Options

  public init(
    _ model: GemmaModel, dictionaries: [SparseDictionary], specialTokens: Set<Int32>, options: Options = Options()
  ) {
    self.model = model
    self.dictionaries = dictionaries
    self.specialTokens = specialTokens
    self.options = options
  }

  /// All written sites, each once.
  private var writes: [Site] { Set(dictionaries.flatMap(\.shape.writes)).sorted() }

  /// Sites that several dictionaries of the set write, so that the last of them decides; empty where no set is spliced.
  public var sharedWrites: [SharedWrite] {
    [.set, .both].contains(options.splices) ? SharedWrite.all(dictionaries) : []
  }

  /// Tokens that `run` passes through the model, every replacement counted.
  public func work(_ sequences: [[Int32]]) -> Int {
    let spliced = lossSequences(sequences).reduce(0) { $0 + $1.count } * (1 + replacements.count)
    return sequences.reduce(0) { $0 + $1.count } + spliced
  }

  /// - Parameters:
  ///   - sequences: token ids, `<bos>` first in each.
  ///   - check: called between layers.
  ///   - progress: told of tokens passed through the model, in parts that sum to `work`.
  /// - Throws: `EvaluationError`, `GemmaError.intervention` for dictionaries that do not fit, what `check` throws.
  public func run(
    _ sequences: [[Int32]], check: CancellationCheck = {}, progress: (Int) throws -> Void = { _ in }
  ) throws -> EvaluationResult {
    var measured = dictionaries.map { Measured($0) }
    var means = SiteMeans()
    var sites = Set(dictionaries.flatMap { $0.shape.reads + $0.shape.writes })
    if let site = options.outliers?.site { sites.insert(site) }
    for ids in sequences {
      let rows = ids.indices.filter { !specialTokens.contains(ids[$0]) }
      let captured = try model.forward([ids], capture: sites, logits: .none, check: check).activations
      let activations = CapturedActivations(captured)
      for site in writes { try means.add(activations.at(site), rows: rows, at: site) }
      for index in measured.indices { try measured[index].add(activations, rows: rows, outliers: options.outliers) }
      try progress(ids.count)
    }
    let spliced = lossSequences(sequences)
    var losses = try LossMeasurement(
      model, dictionaries: dictionaries, specialTokens: specialTokens, replacements: replacements, means: means)
    for ids in spliced { try losses.add(ids, check: check) { _ in try progress(ids.count) } }
    return EvaluationResult(
      tokens: sequences.reduce(0) { $0 + $1.count }, sequences: sequences.count,
      lossTokens: spliced.reduce(0) { $0 + $1.count }, lossSequences: spliced.count, loss: losses.clean.crossEntropy,
      parts: measured.indices.map { part($0, measured[$0], losses) },
      set: figures(of: .splice(dictionaries: Array(dictionaries.indices)), writes, losses), sharedWrites: sharedWrites)
  }

  /// The first sequences that hold `lossTokens` tokens.
  private func lossSequences(_ sequences: [[Int32]]) -> ArraySlice<[Int32]> {
    guard options.splices != .none else { return [] }
    var left = options.lossTokens
    return sequences.prefix { sequence in
      defer { left -= sequence.count }
      return left > 0
    }
  }

  /// Every replacement that is asked for, with the baselines it is seen against.
  private var replacements: [Replacement] {
    var list: [Replacement] = []
    func add(_ replacement: Replacement, _ sites: [Site]) {
      for one in [replacement, .mean(sites), .zero(sites)] where !list.contains(one) { list.append(one) }
    }
    if [.each, .both].contains(options.splices) {
      for (index, dictionary) in dictionaries.enumerated() {
        let writes = dictionary.shape.writes
        for (write, site) in writes.enumerated() { add(.reconstruction(dictionary: index, write: write), [site]) }
        if writes.count > 1 { add(.splice(dictionaries: [index]), writes) }
      }
    }
    if [.set, .both].contains(options.splices) { add(.splice(dictionaries: Array(dictionaries.indices)), writes) }
    return list
  }

  private func figures(of replacement: Replacement, _ sites: [Site], _ losses: LossMeasurement) -> SpliceFigures? {
    guard let spliced = losses.replaced[replacement], let mean = losses.replaced[.mean(sites)],
      let zero = losses.replaced[.zero(sites)]
    else { return nil }
    return SpliceFigures(sites, clean: losses.clean, spliced: spliced, mean: mean, zero: zero)
  }

  private func part(_ index: Int, _ measured: Measured, _ losses: LossMeasurement) -> EvaluationResult.Part {
    let writes = dictionaries[index].shape.writes
    return EvaluationResult.Part(
      reconstruction: measured.reconstruction.metrics,
      withoutOutliers: options.outliers == nil ? nil : measured.withoutOutliers.metrics, density: measured.density,
      otherTools: measured.otherTools.map(\.metrics),
      splices: writes.enumerated().compactMap { write, site in
        figures(of: .reconstruction(dictionary: index, write: write), [site], losses)
      },
      wholeSplice: writes.count > 1 ? figures(of: .splice(dictionaries: [index]), writes, losses) : nil)
  }
}

/// What is collected of one dictionary.
private struct Measured {
  let dictionary: SparseDictionary
  var reconstruction: ReconstructionMeasurement
  var withoutOutliers: ReconstructionMeasurement
  var density: FeatureDensity
  var otherTools: [OtherToolsMetrics.Accumulator]

  init(_ dictionary: SparseDictionary) {
    let shape = dictionary.shape
    self.dictionary = dictionary
    reconstruction = ReconstructionMeasurement(shape)
    withoutOutliers = ReconstructionMeasurement(shape, byPosition: false)
    density = FeatureDensity(shape)
    otherTools = shape.writes.map { _ in OtherToolsMetrics.Accumulator() }
  }

  mutating func add(_ activations: CapturedActivations, rows: [Int], outliers: OutlierRule?) throws {
    let shape = dictionary.shape
    let (code, outputs) = try dictionary.reconstruct(activations.at(shape.reads))
    let targets = try activations.at(shape.writes)
    try reconstruction.add(code, targets: targets, outputs: outputs, rows: rows)
    try density.add(code, rows: rows)
    for (write, tensors) in zip(targets, outputs).enumerated() {
      try otherTools[write].add(
        Self.rows(rows, of: tensors.0), Self.rows(rows, of: tensors.1), width: shape.outputWidth)
    }
    guard let outliers, let first = shape.reads.first else { return }
    let kept = try outliers.kept(rows, of: activations.at(outliers.site ?? first))
    try withoutOutliers.add(code, targets: targets, outputs: outputs, rows: kept)
  }

  private static func rows(_ rows: [Int], of x: Tensor) throws -> [Float] {
    let values = try x.read()
    return rows.flatMap { values[$0 * x.rowLength..<($0 + 1) * x.rowLength] }
  }
}
