/// A linear probe: a text is called positive where x·weights + intercept is above 0.
public struct LinearProbe: Equatable, Sendable {
  /// One for each column, in the columns' own unit.
  public let weights: [Double]
  public let intercept: Double
  /// Whether the gradient of what it minimises came to its tolerance.
  public let isConverged: Bool

  public init(weights: [Double], intercept: Double, isConverged: Bool = true) {
    (self.weights, self.intercept, self.isConverged) = (weights, intercept, isConverged)
  }

  /// x·weights + intercept of every row.
  /// - Throws: `EvaluationError.shape` for rows of other columns.
  public func scores(_ rows: ProbeRows) throws -> [Double] {
    guard rows.columns == weights.count else {
      throw EvaluationError.shape(
        what: "rows of a probe", expected: "\(weights.count) columns", found: "\(rows.columns)")
    }
    return rows.times(weights).map { $0 + intercept }
  }
}
