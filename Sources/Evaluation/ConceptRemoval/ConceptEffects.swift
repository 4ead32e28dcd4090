import Tensors

/// Which parts carry a concept, and what probes say without them (SAEBench, arXiv 2503.09532; Karvonen et al. 2024,
/// arXiv 2411.18895).
package struct ConceptEffects {
  /// What makes a part count.
  package enum Kind {
    /// |Δⱼ (w·dⱼ)|, Δⱼ = mean₊ f̄ⱼ − mean₋ f̄ⱼ: the part tells the concept's sides apart, either way. For SCR.
    case eitherWay
    /// max(Δⱼ, 0) (w·dⱼ): the part speaks for the class. For TPP. Channels, which have no sides of their own, have Δⱼ.
    case towards
  }

  let parts: ConceptParts
  /// w·dⱼ by probe.
  private let products: [[Double]]

  package init(_ parts: ConceptParts, probes: [LinearProbe]) throws {
    self.parts = parts
    products = try parts.products(probes)
  }

  /// The parts with the largest effects above 0 on a probe, at most `limit`, largest first; of equal ones the first.
  package func strongest(_ kind: Kind, probe: Int, _ split: ProbeTask.Split, limit: Int) -> [Int] {
    let means = FeatureSelection.means(parts.code, features: parts.count, rows: split.rows, labels: split.labels)
    let effects = (0..<parts.count).map { part in
      let difference = means.positive[part] - means.negative[part]
      return switch kind {
      case .eitherWay: abs(difference * products[probe][part])
      case .towards: (parts.isOneSided ? max(difference, 0) : difference) * products[probe][part]
      }
    }
    return FeatureSelection.top(effects, limit)
  }

  /// A probe's scores of texts without the first n of `order`, for each n of `counts`.
  /// - Parameter scores: those with all parts, of texts `rows`.
  package func scores(
    _ scores: [Double], of rows: [Int], probe: Int, without order: [Int], counts: [Int]
  ) -> [[Double]] {
    var ranks: [Int32: Int] = [:]
    for (rank, part) in order.enumerated() { ranks[Int32(part)] = rank }
    var out = [[Double]](repeating: scores, count: counts.count)
    for (place, row) in rows.enumerated() {
      for entry in parts.code.entries(ofRow: row) {
        guard let rank = ranks[parts.code.features[entry]] else { continue }
        let moved = Double(parts.code.activations[entry]) * products[probe][Int(parts.code.features[entry])]
        for (n, count) in counts.enumerated() where rank < count { out[n][place] -= moved }
      }
    }
    return out
  }

  /// A probe's scores once another probe's direction ŵ is projected out: x' = x − ((x − μ)·ŵ) ŵ.
  package static func scores(
    _ scores: [Double], _ rows: ProbeRows, probe: LinearProbe, without direction: LinearProbe, means: [Double]
  ) -> [Double] {
    let square = direction.weights.reduce(0) { $0 + $1 * $1 }
    guard square > 0 else { return scores }
    let share = zip(probe.weights, direction.weights).reduce(0) { $0 + $1.0 * $1.1 } / square
    let middle = zip(means, direction.weights).reduce(0) { $0 + $1.0 * $1.1 }
    return zip(scores, rows.times(direction.weights)).map { $0 - ($1 - middle) * share }
  }
}
