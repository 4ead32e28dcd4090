public import Gemma

/// A one-to-one matching of rows with columns of a matrix of weights: every row and every column in at most one pair,
/// and as many pairs as the shorter side has.
public struct Assignment: Equatable, Sendable {
  /// How it was found.
  public enum Method: String, CaseIterable, Sendable {
    /// By shortest augmenting paths: no matching weighs more.
    case exact
    /// By an auction over each row's best candidates: `upperBound` says how far off it may be.
    case auction
  }

  public let method: Method
  /// For each row its column; nil for rows left over where these are more than the columns.
  public let columns: [Int?]
  /// Sum of the weights of all pairs.
  public let total: Double
  /// No matching weighs more than this. For an exact one the total itself.
  public let upperBound: Double

  /// The heaviest matching of a dense matrix, by shortest augmenting paths (Jonker & Volgenant 1987, "A shortest
  /// augmenting path algorithm for dense and sparse linear assignment problems", Computing 38; rectangular as in Crouse
  /// 2016, "On implementing 2D rectangular assignment algorithms", section II). Of equally heavy ones it is always the
  /// same one.
  /// - Parameters:
  ///   - weights: [rows, columns], finite.
  ///   - check: called once for each row.
  /// - Throws: `EvaluationError.shape`, what `check` throws.
  /// - Complexity: O(n² m) for n the shorter and m the longer side; a copy of the weights where there are more rows
  ///   than columns.
  public static func exact(
    _ weights: [Float], rows: Int, columns: Int, check: CancellationCheck = {}
  ) throws -> Assignment {
    guard rows >= 0, columns >= 0, weights.count == rows * columns else {
      throw EvaluationError.shape(
        what: "weights to assign", expected: "[\(rows), \(columns)]", found: "\(weights.count) numbers")
    }
    guard weights.allSatisfy(\.isFinite) else {
      throw EvaluationError.shape(what: "weights to assign", expected: "finite numbers", found: "others")
    }
    var found = [Int?](repeating: nil, count: rows)
    if rows <= columns {
      var paths = ShortestPaths(rows: rows, columns: columns)
      try paths.solve(weights, check: check)
      for row in 0..<rows { found[row] = paths.columnOfRow[row] }
    } else {
      var turned = [Float](repeating: 0, count: weights.count)
      for row in 0..<rows {
        for column in 0..<columns { turned[column * rows + row] = weights[row * columns + column] }
      }
      var paths = ShortestPaths(rows: columns, columns: rows)
      try paths.solve(turned, check: check)
      for column in 0..<columns { found[paths.columnOfRow[column]] = column }
    }
    let total = found.enumerated().reduce(0.0) { sum, pair in
      sum + (pair.element.map { Double(weights[pair.offset * columns + $0]) } ?? 0)
    }
    return Assignment(method: .exact, columns: found, total: total, upperBound: total)
  }

  /// The same with rows and columns exchanged.
  func transposed(columns count: Int) -> Assignment {
    var rows = [Int?](repeating: nil, count: count)
    for (row, column) in columns.enumerated() { if let column { rows[column] = row } }
    return Assignment(method: method, columns: rows, total: total, upperBound: upperBound)
  }
}
