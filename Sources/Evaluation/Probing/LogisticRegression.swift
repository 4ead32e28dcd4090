import Foundation
public import Gemma

/// Logistic regression with an L2 penalty, to its exact minimum. With columns standardised (mean 0, deviation 1 over
/// the rows it is fitted to) to u, labels y = ±1 and z = u·v + b it minimises
///
///     Σᵢ wᵢ log(1 + exp(−yᵢ zᵢ)) + ‖v‖² / (2C)
///
/// with b free: scikit-learn's objective, to the minimum, where its lbfgs ends at a tolerance of 1e-4. The penalty is
/// on standardised columns, so that it does not depend on their units; constant columns get weight 0.
public struct LogisticRegression: Equatable, Sendable {
  /// Larger is less penalty.
  public var c: Double
  /// Largest entry of the gradient, divided by Σ wᵢ, at which the minimum is reached.
  public var tolerance = 1e-8
  public var maximumIterations = 2_000

  /// Columns up to which each step solves the whole system (Newton's method, also known as IRLS).
  private static let newtonColumns = 32

  public init(c: Double = 1) { self.c = c }

  /// Fits a probe.
  /// - Parameter weights: of the rows; all 1 when nil.
  /// - Throws: `EvaluationError.shape` for labels that do not fit the rows or are all the same, `.option` for a C or a
  ///   weight that is not above 0, and what `check` throws.
  public func fit(
    _ rows: ProbeRows, labels: [Bool], weights: [Double]? = nil, check: CancellationCheck = {}
  ) throws -> LinearProbe {
    try StandardisedRows(rows).fit(self, labels: labels, weights: weights, check: check)
  }

  fileprivate func minimum(
    _ problem: LogisticProblem, check: CancellationCheck
  ) throws -> (point: [Double], found: Bool) {
    let minimiser = Minimiser(tolerance: tolerance * problem.total, maximumIterations: maximumIterations)
    let start = problem.start
    return problem.rows.columns <= Self.newtonColumns
      ? try minimiser.newton(problem, from: start, check: check)
      : try minimiser.limitedMemory(problem, from: start, check: check)
  }
}

/// Rows standardised once for several fits.
struct StandardisedRows {
  private let rows: ProbeRows
  private let means, deviations: [Double]

  init(_ rows: ProbeRows) {
    means = rows.means
    deviations = rows.deviations(about: means)
    self.rows = rows.standardised(means: means, deviations: deviations)
  }

  func fit(
    _ regression: LogisticRegression, labels: [Bool], weights: [Double]? = nil, check: CancellationCheck = {}
  ) throws -> LinearProbe {
    guard labels.count == rows.count, weights.map({ $0.count == rows.count }) ?? true,
      labels.contains(true), labels.contains(false)
    else {
      throw EvaluationError.shape(
        what: "labels of a probe", expected: "\(rows.count), some true and some false",
        found: "\(labels.count), \(labels.count { $0 }) of them true")
    }
    guard regression.c > 0, regression.c.isFinite else {
      throw EvaluationError.option(name: "C", reason: "is \(regression.c), expected a number above 0")
    }
    let weights = weights ?? [Double](repeating: 1, count: rows.count)
    guard weights.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw EvaluationError.option(name: "weights", reason: "expected numbers above 0")
    }
    let problem = LogisticProblem(rows: rows, labels: labels, weights: weights, c: regression.c)
    let (point, found) = try regression.minimum(problem, check: check)
    // Back into the columns' own units.
    var (own, intercept) = ([Double](), point[rows.columns])
    for i in 0..<rows.columns {
      let weight = deviations[i] > 0 ? point[i] / deviations[i] : 0
      own.append(weight)
      intercept -= weight * means[i]
    }
    return LinearProbe(weights: own, intercept: intercept, isConverged: found)
  }
}

/// The objective at points (v, b).
struct LogisticProblem {
  let rows: ProbeRows
  let labels: [Bool]
  let weights: [Double]
  let c: Double

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
    var value = v.reduce(0) { $0 + $1 * $1 } / (2 * c)
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
    for i in 0..<rows.columns { gradient[i] += v[i] / c }
    gradient.append(slopes.reduce(0, +))
    return (value, gradient, curvature)
  }
}
