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
    var problem = Problem(columns, isPositive, positives: positives, c: c)
    problem.solve()
    return BalancedLogistic(
      weights: zip(problem.point, problem.lengths).map { $0 / $1 }, intercept: problem.point[columns.count])
  }
}

extension BalancedLogistic {
  /// The objective over columns divided by their root mean square, so that Newton's equations are well scaled; the
  /// penalty of a weight is divided by that length's square, so the minimum is the same.
  private struct Problem {
    let columns: [[Double]]
    /// Root mean squares; 1 for a column of zeros.
    let lengths: [Double]
    private let signs: [Double]
    private let shares: [Double]
    /// Weights of the divided columns, then the intercept.
    private(set) var point: [Double]
    private static let mostSteps = 200
    private static let tolerance = 1e-8

    init(_ columns: [[Double]], _ isPositive: [Bool], positives: Int, c: Double) {
      let n = Double(isPositive.count)
      lengths = columns.map { column in
        let square = column.reduce(0) { $0 + $1 * $1 } / n
        return square > 0 ? square.squareRoot() : 1
      }
      self.columns = zip(columns, lengths).map { column, length in column.map { $0 / length } }
      signs = isPositive.map { $0 ? 1 : -1 }
      shares = isPositive.map { c * n / (2 * ($0 ? Double(positives) : n - Double(positives))) }
      point = [Double](repeating: 0, count: columns.count + 1)
    }

    private func logits(_ point: [Double]) -> [Double] {
      var z = [Double](repeating: point[columns.count], count: signs.count)
      for (column, weight) in zip(columns, point) { for i in z.indices { z[i] += weight * column[i] } }
      return z
    }

    private func penalty(_ k: Int) -> Double { 1 / (lengths[k] * lengths[k]) }

    private func value(_ point: [Double]) -> Double {
      let squares = columns.indices.reduce(0.0) { $0 + penalty($1) * point[$1] * point[$1] }
      let z = logits(point)
      return z.indices.reduce(squares / 2) { sum, i in
        let margin = signs[i] * z[i]
        // log(1 + exp(−m)) without overflow.
        return sum + shares[i] * (max(-margin, 0) + log1p(exp(-abs(margin))))
      }
    }

    mutating func solve() {
      var current = value(point)
      for _ in 0..<Self.mostSteps {
        let (gradient, hessian) = derivatives()
        guard gradient.contains(where: { abs($0) > Self.tolerance }), let step = Self.solve(hessian, gradient) else {
          return
        }
        let slope = Self.product(gradient, step)
        var length = 1.0
        while true {
          let next = zip(point, step).map { $0 - length * $1 }
          let value = value(next)
          if value <= current - 1e-4 * length * slope {
            (point, current) = (next, value)
            break
          }
          length /= 2
          // Rounding hides what is left to fall.
          if length < 1e-10 { return }
        }
      }
    }

    private func derivatives() -> (gradient: [Double], hessian: [[Double]]) {
      let size = columns.count + 1
      let z = logits(point)
      var (slopes, curvatures) = (z, z)
      for i in z.indices {
        let p = 1 / (1 + exp(signs[i] * z[i]))
        slopes[i] = -shares[i] * signs[i] * p
        curvatures[i] = shares[i] * p * (1 - p)
      }
      var gradient = [Double](repeating: 0, count: size)
      var hessian = [[Double]](repeating: gradient, count: size)
      for a in 0..<size {
        let weighted = a < columns.count ? zip(columns[a], curvatures).map { $0 * $1 } : curvatures
        for b in 0...a {
          let product = b < columns.count ? Self.product(weighted, columns[b]) : weighted.reduce(0, +)
          (hessian[a][b], hessian[b][a]) = (product, product)
        }
        gradient[a] = a < columns.count ? Self.product(columns[a], slopes) : slopes.reduce(0, +)
        if a < columns.count {
          hessian[a][a] += penalty(a)
          gradient[a] += penalty(a) * point[a]
        }
      }
      return (gradient, hessian)
    }

    private static func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

    /// Solves A s = g by Cholesky's factors, with a little more on the diagonal where A is not quite positive.
    private static func solve(_ matrix: [[Double]], _ right: [Double]) -> [Double]? {
      let largest = matrix.indices.reduce(0.0) { max($0, matrix[$1][$1]) }
      for jitter in [0, 1e-14, 1e-10, 1e-6] {
        var lower = matrix
        var isPositive = true
        for i in lower.indices where isPositive {
          for j in 0...i {
            var sum = matrix[i][j] + (i == j ? jitter * largest : 0)
            for k in 0..<j { sum -= lower[i][k] * lower[j][k] }
            guard i == j else {
              lower[i][j] = sum / lower[j][j]
              continue
            }
            isPositive = sum > 0
            lower[i][i] = sum.squareRoot()
          }
        }
        guard isPositive else { continue }
        var s = right
        for i in s.indices {
          for k in 0..<i { s[i] -= lower[i][k] * s[k] }
          s[i] /= lower[i][i]
        }
        for i in s.indices.reversed() {
          for k in i + 1..<s.count { s[i] -= lower[k][i] * s[k] }
          s[i] /= lower[i][i]
        }
        return s
      }
      return nil
    }
  }
}
