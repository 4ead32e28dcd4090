import Gemma

/// A probe that reads every channel of x̄: the baseline that sparse probes stand beside.
struct DenseProbe: Sendable {
  let probe: LinearProbe
  /// The C it was fitted with.
  let c: Double

  static let choices = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10]

  /// Fits with the C that has the best AUC on a fifth of the rows held back, then on all rows. Of equal AUC, which easy
  /// texts often give, the smallest C: the texts held back are like the others, test texts may not be, and a probe that
  /// is told no more than it needs fares better there.
  static func fit(_ rows: ProbeRows, labels: [Bool], check: CancellationCheck) throws -> DenseProbe {
    let c = try choose(rows, labels, check)
    return DenseProbe(
      probe: try LogisticRegression(c: c).fit(rows, labels: labels, check: check), c: c)
  }

  private static func choose(_ rows: ProbeRows, _ labels: [Bool], _ check: CancellationCheck) throws -> Double {
    var (kept, held): ([Int], [Int]) = ([], [])
    for label in [true, false] {
      let own = labels.indices.filter { labels[$0] == label }
      // Every fifth, so that groups that stand together are held back alike.
      for (place, row) in own.enumerated() { if place % 5 == 4 { held.append(row) } else { kept.append(row) } }
    }
    let heldLabels = held.map { labels[$0] }
    guard heldLabels.contains(true), heldLabels.contains(false) else { return 1 }
    let train = StandardisedRows(try rows.selecting(rows: kept))
    let trainLabels = kept.map { labels[$0] }
    let test = try rows.selecting(rows: held)
    var best: (auc: Double, c: Double)?
    for c in choices {
      var regression = LogisticRegression(c: c)
      // A choice among decades needs no exact minimum.
      regression.tolerance = 1e-5
      let z = try train.fit(regression, labels: trainLabels, check: check).scores(test)
      let auc = try Scores(z, labels: heldLabels, texts: held).auc.value ?? 0
      if let now = best, auc <= now.auc { continue }
      best = (auc, c)
    }
    return best?.c ?? 1
  }
}
