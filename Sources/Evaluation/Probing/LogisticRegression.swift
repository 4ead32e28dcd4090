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
    let problem = LogisticProblem(
      rows: rows, labels: labels, weights: weights,
      penalties: [Double](repeating: 1 / regression.c, count: rows.columns))
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
