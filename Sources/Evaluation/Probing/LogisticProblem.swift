import Foundation

/// Σᵢ wᵢ log(1 + exp(−yᵢ zᵢ)) + ½ Σⱼ λⱼ vⱼ² with z = u·v + b, at points (v, b).
struct LogisticProblem {
  let rows: ProbeRows
  let labels: [Bool]
  let weights: [Double]
  /// λ, one for each column.
  let penalties: [Double]

  var total: Double { weights.reduce(0, +) }

  /// No weight, and the intercept that is best then.
  var start: [Double] {
    let positive = zip(weights, labels).reduce(0) { $1.1 ? $0 + $1.0 : $0 }
    return [Double](repeating: 0, count: rows.columns) + [log(positive / (total - positive))]
  }

  /// The value, the gradient, and at each row the curvature w p (1 − p).
  func evaluate(_ point: [Double]) -> (value: Double, gradient: [Double], curvature: [Double]) {
    let v = Array(point.dropLast())
    let b = point[rows.columns]
    let z = rows.times(v)
    var value = zip(penalties, v).reduce(0) { $0 + $1.0 * $1.1 * $1.1 } / 2
    var (slopes, curvature) = ([Double](), [Double]())
    slopes.reserveCapacity(rows.count)
    curvature.reserveCapacity(rows.count)
    for row in 0..<rows.count {
      let margin = labels[row] ? z[row] + b : -(z[row] + b)
      // exp of what is at most 0 never overflows; e / (1 + e) is the chance of the wrong label.
      let e = exp(-abs(margin))
      value += weights[row] * (log1p(e) + max(-margin, 0))
      let wrong = margin > 0 ? e / (1 + e) : 1 / (1 + e)
      slopes.append(labels[row] ? -weights[row] * wrong : weights[row] * wrong)
      curvature.append(weights[row] * e / ((1 + e) * (1 + e)))
    }
    var gradient = rows.transposedTimes(slopes)
    for i in 0..<rows.columns { gradient[i] += penalties[i] * v[i] }
    gradient.append(slopes.reduce(0, +))
    return (value, gradient, curvature)
  }
}
