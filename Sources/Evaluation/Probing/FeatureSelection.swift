package import Tensors

/// Which columns a k-sparse probe reads: those whose mean differs most between positives and negatives.
public enum FeatureSelection: String, CaseIterable, Codable, Sendable {
  /// |mean₊ − mean₋| in units of the column: of a feature its mean where it is active, of a channel its deviation. So a
  /// rare strong feature and a common weak one can be told (Kantamneni et al. 2025, arXiv 2502.16681, have the former).
  case scaleFree = "scale-free"
  /// |mean₊ − mean₋| as it is (SAEBench 0.6.0, arXiv 2503.09532).
  case asPublished = "as-published"

  /// The score of each of `features` features.
  /// - Parameters:
  ///   - code: a row for each text.
  ///   - rows: the texts that count, with their labels.
  package func scores(_ code: SparseCode, features: Int, rows: [Int], labels: [Bool]) -> [Double] {
    let means = Self.means(code, features: features, rows: rows, labels: labels)
    return (0..<features).map { feature in
      let difference = abs(means.positive[feature] - means.negative[feature])
      return self == .asPublished || difference == 0 ? difference : difference / means.active[feature]
    }
  }

  /// Mean of each feature over positives, over negatives, and over the rows where it is active.
  static func means(
    _ code: SparseCode, features: Int, rows: [Int], labels: [Bool]
  ) -> (positive: [Double], negative: [Double], active: [Double]) {
    var sums = [[Double]](repeating: [Double](repeating: 0, count: features), count: 2)
    var (active, counts) = (sums[0], sums[0])
    for (row, label) in zip(rows, labels) {
      for entry in code.entries(ofRow: row) {
        let (feature, value) = (Int(code.features[entry]), Double(code.activations[entry]))
        sums[label ? 1 : 0][feature] += value
        active[feature] += value
        counts[feature] += 1
      }
    }
    let positives = Double(max(labels.count { $0 }, 1))
    let negatives = Double(max(labels.count { !$0 }, 1))
    return (
      sums[1].map { $0 / positives }, sums[0].map { $0 / negatives },
      zip(active, counts).map { $1 > 0 ? $0 / $1 : 0 }
    )
  }

  /// The score of each column of dense rows.
  package func scores(_ rows: ProbeRows, labels: [Bool]) -> [Double] {
    var sums = [[Double]](repeating: [Double](repeating: 0, count: rows.columns), count: 2)
    for row in 0..<rows.count {
      for i in 0..<rows.columns { sums[labels[row] ? 1 : 0][i] += rows.values[row * rows.columns + i] }
    }
    let (positives, negatives) = (Double(max(labels.count { $0 }, 1)), Double(max(labels.count { !$0 }, 1)))
    let differences = zip(sums[1], sums[0]).map { abs($0 / positives - $1 / negatives) }
    guard self == .scaleFree else { return differences }
    let deviations = rows.deviations(about: rows.means)
    return zip(differences, deviations).map { $1 > 0 ? $0 / $1 : 0 }
  }

  /// The `count` largest scores above 0, largest first; of equal ones the first.
  package static func top(_ scores: [Double], _ count: Int) -> [Int] {
    let above = scores.indices.filter { scores[$0] > 0 }
    return Array(above.sorted { (-scores[$0], $0) < (-scores[$1], $1) }.prefix(max(count, 0)))
  }
}
