import Dictionaries
import Evaluation
import Gemma
import Sites
import Tensors

/// Measures any number of dictionaries on the same held-out sequences: L0, FVU and dead features over all of them in one
/// pass of the model; the rise of the loss, with its baselines, over the first `lossTokens`.
struct CardMeasurement {
  let dictionaries: [SparseDictionary]
  let sequences: [[Int32]]
  let opened: OpenedModel
  /// About how many tokens losses are measured on; 0 for none.
  let lossTokens: Int
  /// Tokens longer at a site than so many times the median of their sequence: attention sinks.
  let outliers: (site: Site, factor: Double)

  private var sites: Set<Site> {
    Set(dictionaries.flatMap { $0.shape.reads + $0.shape.writes } + [outliers.site])
  }
  private var writes: [Site] { Set(dictionaries.flatMap(\.shape.writes)).sorted() }

  /// Sequences on which losses are measured: as many as `lossTokens` ask for.
  private var lossSequences: ArraySlice<[Int32]> {
    var left = lossTokens
    return sequences.prefix { sequence in
      defer { left -= sequence.count }
      return left > 0
    }
  }

  func run() throws -> [MeasuredCard] {
    let total =
      sequences.reduce(0) { $0 + $1.count } + lossSequences.reduce(0) { $0 + $1.count } * (1 + replacements.count)
    let progress = Progress("measure", total: total, unit: "tokens")
    var counted = dictionaries.map { DictionaryStatistics.Accumulator($0.shape) }
    var filtered = counted
    var densities = dictionaries.map { FeatureDensity($0.shape) }
    var means = SiteMeans()
    for ids in sequences {
      let rows = ids.indices.filter { !opened.isSpecial(ids[$0]) }
      let result = try opened.model.forward([ids], capture: sites, logits: .none) { try Interruption.check() }
      let activations = CapturedActivations(result.activations)
      let kept = try Self.kept(rows, activations.at(outliers.site), factor: outliers.factor)
      for site in writes { try means.add(activations.at(site), rows: rows, at: site) }
      for (index, dictionary) in dictionaries.enumerated() {
        let (code, outputs) = try dictionary.reconstruct(activations.at(dictionary.shape.reads))
        let targets = try activations.at(dictionary.shape.writes)
        try counted[index].add(code, targets: targets, outputs: outputs, rows: rows)
        try filtered[index].add(code, targets: targets, outputs: outputs, rows: kept)
        try densities[index].add(code, rows: rows)
      }
      try progress.advance(by: Double(ids.count))
    }
    var losses = try LossMeasurement(
      opened.model, dictionaries: dictionaries, specialTokens: opened.specialTokens, replacements: replacements,
      means: means)
    for ids in lossSequences {
      try losses.add(ids, check: Interruption.check) { _ in try progress.advance(by: Double(ids.count)) }
    }
    return dictionaries.indices.map { index in
      let statistics = counted[index].statistics
      return MeasuredCard(
        statistics: statistics, filtered: filtered[index].statistics, dead: densities[index].deadShare ?? 0,
        lossTokens: lossSequences.reduce(0) { $0 + $1.count }, loss: losses.clean.crossEntropy.value,
        sites: dictionaries[index].shape.writes.enumerated().map { write, site in
          let spliced = losses.replaced[.reconstruction(dictionary: index, write: write)]
          return MeasuredCard.SiteFigures(
            site: site, fvu: statistics.fvuByWrite[write], splicedLoss: spliced?.crossEntropy.value,
            divergence: spliced?.divergence.value, meanAblatedLoss: losses.replaced[.mean([site])]?.crossEntropy.value,
            zeroAblatedLoss: losses.replaced[.zero([site])]?.crossEntropy.value)
        })
    }
  }

  /// Every written site replaced alone, by each dictionary that writes it and by two baselines.
  private var replacements: [Replacement] {
    dictionaries.enumerated().flatMap { index, dictionary in
      dictionary.shape.writes.indices.map { .reconstruction(dictionary: index, write: $0) }
    } + writes.flatMap { [.mean([$0]), .zero([$0])] }
  }

  /// The rows that are not outliers in norm.
  private static func kept(_ rows: [Int], _ x: Tensor, factor: Double) throws -> [Int] {
    let values = try x.read()
    let norms = rows.map { row in
      values[row * x.rowLength..<(row + 1) * x.rowLength].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
    guard !norms.isEmpty else { return rows }
    let limit = norms.sorted()[norms.count / 2] * factor
    return zip(rows, norms).filter { $0.1 <= limit }.map(\.0)
  }
}
