import Foundation

/// Logistic regression on a few columns with classes that count the same, solved exactly.
///
/// It minimises ½‖v‖² + C Σᵢ sᵢ log(1 + exp(−yᵢ zᵢ)), z = Xv + b, y = ±1, sᵢ = n / (2 · rows of the class of i):
/// scikit-learn's `LogisticRegression(class_weight="balanced", C=C)`, but to a gradient of 1e-8 by Newton's method with
/// step halving (Nocedal & Wright 2006, section 3.3) where scikit-learn stops its quasi-Newton method at 1e-4. The
/// intercept b is not penalised.
public struct BalancedLogistic: Sendable, Equatable {
  /// One for each column.
  public let weights: [Double]
  public let intercept: Double

  /// The log odds of a row.
  public func score(_ row: some Sequence<Double>) -> Double {
    zip(weights, row).reduce(intercept) { $0 + $1.0 * $1.1 }
  }

  /// The log odds of `count` rows given as columns.
  public func scores(_ columns: [[Double]], count: Int) -> [Double] {
    (0..<count).map { row in score(columns.lazy.map { $0[row] }) }
  }

  /// - Parameters:
  ///   - columns: of numbers, each as long as `isPositive`.
  ///   - c: C; the smaller, the more weights are held back.
  /// - Returns: nil where a class has no row: nothing separates then.
  /// - Throws: `EvaluationError.shape` for columns of another length or with numbers that are not finite.
  public static func fit(_ columns: [[Double]], isPositive: [Bool], c: Double = 1) throws -> BalancedLogistic? {
    guard columns.allSatisfy({ $0.count == isPositive.count && $0.allSatisfy(\.isFinite) }), c > 0 else {
      throw EvaluationError.shape(
        what: "columns of a logistic regression", expected: "\(isPositive.count) finite numbers each, and C above 0",
        found: "\(columns.map(\.count)), C = \(c)")
    }
    let positives = isPositive.count { $0 }
    guard positives > 0, positives < isPositive.count else { return nil }
    // Over columns divided by their root mean square Newton's equations are well scaled; each weight's penalty is divided
    // by that length's square, so the minimum is the same.
    let n = Double(isPositive.count)
    let lengths = columns.map { column in
      let square = column.reduce(0) { $0 + $1 * $1 } / n
      return square > 0 ? square.squareRoot() : 1
    }
    let rows = try ProbeRows(
      isPositive.indices.flatMap { row in zip(columns, lengths).map { $0[row] / $1 } }, count: isPositive.count,
      columns: columns.count)
    let problem = LogisticProblem(
      rows: rows, labels: isPositive,
      weights: isPositive.map { c * n / (2 * ($0 ? Double(positives) : n - Double(positives))) },
      penalties: lengths.map { 1 / ($0 * $0) })
    let point = try Minimiser(tolerance: 1e-8, maximumIterations: 200).newton(problem, from: problem.start) {}.point
    return BalancedLogistic(weights: zip(point, lengths).map { $0 / $1 }, intercept: point[columns.count])
  }
}
