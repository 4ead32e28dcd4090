import Dictionaries
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
  /// What training left out: tokens longer at a site than so many times the median of their sequence.
  var normFilter: (site: Site, factor: Double)?

  private var sites: Set<Site> {
    Set(dictionaries.flatMap { $0.shape.reads + $0.shape.writes } + (normFilter.map { [$0.site] } ?? []))
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
    let passes = 1 + 2 * writes.count + dictionaries.reduce(0) { $0 + $1.shape.writes.count }
    let total =
      sequences.reduce(0) { $0 + $1.count } + lossSequences.reduce(0) { $0 + $1.count } * (passes)
    let progress = Progress("measure", total: total, unit: "tokens")
    var counted = dictionaries.map { DictionaryStatistics.Accumulator($0.shape) }
    var filtered = counted
    var fired = dictionaries.map { $0.shape.reads.map { _ in Set<Int32>() } }
    var means = SiteMeans(writes.map { ($0, opened.model.shape.width(of: $0)) })
    for ids in sequences {
      let rows = ids.indices.filter { !opened.isSpecial(ids[$0]) }
      let result = try opened.model.forward([ids], capture: sites, logits: .none) { try Interruption.check() }
      let activations = CapturedSites(tensors: result.activations)
      let kept = try normFilter.map { try Self.kept(rows, activations.at([$0.site])[0], factor: $0.factor) }
      for site in writes { try means.add(activations.at([site])[0], rows: rows, at: site) }
      for (index, dictionary) in dictionaries.enumerated() {
        let inputs = try activations.at(dictionary.shape.reads)
        let (code, outputs) = try dictionary.reconstruct(inputs)
        let targets = try activations.at(dictionary.shape.writes)
        try counted[index].add(code, targets: targets, outputs: outputs, rows: rows)
        if let kept { try filtered[index].add(code, targets: targets, outputs: outputs, rows: kept) }
        for (read, layer) in code.layers.enumerated() {
          for row in rows { for entry in layer.entries(ofRow: row) { fired[index][read].insert(layer.features[entry]) } }
        }
      }
      try progress.advance(by: Double(ids.count))
    }
    let losses = try Losses(self, means: means, progress: progress)
    return dictionaries.indices.map { index in
      let shape = dictionaries[index].shape
      let statistics = counted[index].statistics
      let alive = fired[index].reduce(0) { $0 + $1.count }
      return MeasuredCard(
        statistics: statistics, filtered: normFilter == nil ? nil : filtered[index].statistics, dead: 1 - Double(alive) / Double(shape.totalWidth),
        lossTokens: lossSequences.reduce(0) { $0 + $1.count }, loss: losses.clean.value,
        sites: shape.writes.enumerated().map { write, site in
          MeasuredCard.SiteFigures(
            site: site, fvu: statistics.fvuByWrite[write], splicedLoss: losses.spliced[index][write].value,
            meanAblatedLoss: losses.meanAblated[site]?.value, zeroAblatedLoss: losses.zeroAblated[site]?.value)
        })
    }
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

  /// Mean losses with and without replacements.
  private struct Losses {
    var clean = MeanLoss()
    var spliced: [[MeanLoss]]
    var meanAblated: [Site: MeanLoss] = [:]
    var zeroAblated: [Site: MeanLoss] = [:]

    init(_ card: CardMeasurement, means: SiteMeans, progress: Progress) throws {
      let opened = card.opened
      spliced = card.dictionaries.map { $0.shape.writes.map { _ in MeanLoss() } }
      for ids in card.lossSequences {
        let rows = ids.indices.filter { !opened.isSpecial(ids[$0]) }
        func replaced(_ site: Site, by values: Tensor, _ loss: inout MeanLoss) throws {
          let visitor = ReplacingVisitor(site: site, values: values, rows: rows, backend: opened.backend)
          let result = try opened.model.forward([ids], logits: .residual, visitor: visitor) { try Interruption.check() }
          try loss.add(result.residual, ids, opened: opened, progress: progress)
          try progress.advance(by: Double(ids.count))
        }
        let activations = try Activations(ids, sites: card.sites, opened: opened)
        try clean.add(activations.residual, ids, opened: opened, progress: progress)
        try progress.advance(by: Double(ids.count))
        for (index, dictionary) in card.dictionaries.enumerated() {
          let (_, outputs) = try dictionary.reconstruct(activations.at(dictionary.shape.reads))
          for (write, site) in dictionary.shape.writes.enumerated() {
            try replaced(site, by: outputs[write], &spliced[index][write])
          }
        }
        for site in card.writes {
          let width = opened.model.shape.width(of: site)
          let mean = means.mean(of: site)
          let repeated = (0..<ids.count).flatMap { _ in mean }
          let zeros = [Float](repeating: 0, count: ids.count * width)
          let backend = opened.backend
          try replaced(
            site, by: backend.tensor(repeated, shape: [ids.count, width]), &meanAblated[site, default: MeanLoss()])
          try replaced(
            site, by: backend.tensor(zeros, shape: [ids.count, width]), &zeroAblated[site, default: MeanLoss()])
        }
      }
    }
  }
}

/// Captured activations by site.
private struct CapturedSites {
  let tensors: [Site: Tensor]

  func at(_ sites: [Site]) throws -> [Tensor] {
    try sites.map { site in
      guard let tensor = tensors[site] else { throw GemmaError.input("no activations at \(site)") }
      return tensor
    }
  }
}

/// Mean activation of each site over tokens.
private struct SiteMeans {
  private var sums: [Site: [Double]] = [:]
  private var count: [Site: Int] = [:]

  init(_ widths: [(Site, Int)]) {
    for (site, width) in widths { sums[site] = [Double](repeating: 0, count: width) }
  }

  mutating func add(_ x: Tensor, rows: [Int], at site: Site) throws {
    let values = try x.read()
    let width = x.rowLength
    guard var sum = sums.removeValue(forKey: site) else { return }
    for row in rows { for i in 0..<width { sum[i] += Double(values[row * width + i]) } }
    sums[site] = sum
    count[site, default: 0] += rows.count
  }

  func mean(of site: Site) -> [Float] {
    let count = Double(max(count[site] ?? 0, 1))
    return (sums[site] ?? []).map { Float($0 / count) }
  }
}
