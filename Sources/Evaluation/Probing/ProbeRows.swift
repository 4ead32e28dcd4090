/// Rows of numbers that probes are fitted to and scored on, row by row in fp64.
public struct ProbeRows: Equatable, Sendable {
  public let count: Int
  public let columns: Int
  public let values: [Double]

  /// - Throws: `EvaluationError.shape` for another number of values, or one that is not finite.
  public init(_ values: [Double], count: Int, columns: Int) throws {
    guard values.count == count * columns, values.allSatisfy(\.isFinite) else {
      throw EvaluationError.shape(
        what: "rows of a probe", expected: "\(count) × \(columns) finite numbers", found: "\(values.count) numbers")
    }
    (self.values, self.count, self.columns) = (values, count, columns)
  }

  /// Some columns, in the order given.
  func selecting(_ chosen: [Int]) throws -> ProbeRows {
    try ProbeRows(
      (0..<count).flatMap { row in chosen.map { values[row * columns + $0] } }, count: count, columns: chosen.count)
  }

  /// Some rows.
  func selecting(rows: [Int]) throws -> ProbeRows {
    try ProbeRows(rows.flatMap { values[$0 * columns..<($0 + 1) * columns] }, count: rows.count, columns: columns)
  }

  /// Mean of each column.
  var means: [Double] {
    var sums = [Double](repeating: 0, count: columns)
    for row in 0..<count { for i in 0..<columns { sums[i] += values[row * columns + i] } }
    return sums.map { $0 / Double(max(count, 1)) }
  }

  /// Standard deviation of each column about `means`; 0 for one that is constant but for rounding.
  func deviations(about means: [Double]) -> [Double] {
    var squares = [Double](repeating: 0, count: columns)
    var largest = squares
    for row in 0..<count {
      for i in 0..<columns {
        let value = values[row * columns + i]
        squares[i] += (value - means[i]) * (value - means[i])
        largest[i] = max(largest[i], abs(value))
      }
    }
    return zip(squares, largest).map { square, largest in
      let deviation = (square / Double(max(count, 1))).squareRoot()
      return deviation > 1e-12 * largest ? deviation : 0
    }
  }

  /// Columns of mean 0 and deviation 1; constant ones become 0.
  func standardised(means: [Double], deviations: [Double]) -> ProbeRows {
    var new = values
    for row in 0..<count {
      for i in 0..<columns {
        let place = row * columns + i
        new[place] = deviations[i] > 0 ? (new[place] - means[i]) / deviations[i] : 0
      }
    }
    return ProbeRows(unchecked: new, count: count, columns: columns)
  }

  private init(unchecked values: [Double], count: Int, columns: Int) {
    (self.values, self.count, self.columns) = (values, count, columns)
  }

  /// x·v for every row.
  func times(_ v: [Double]) -> [Double] {
    values.withUnsafeBytes { x in
      v.withUnsafeBytes { v in
        (0..<count).map { row in
          let start = row * columns * 8
          // Eight sums side by side: one alone would wait for each addition.
          var sums = SIMD8<Double>.zero
          var i = 0
          while i + 8 <= columns {
            sums +=
              x.loadUnaligned(fromByteOffset: start + i * 8, as: SIMD8<Double>.self)
              * v.loadUnaligned(fromByteOffset: i * 8, as: SIMD8<Double>.self)
            i += 8
          }
          var sum = sums.sum()
          while i < columns {
            sum +=
              x.loadUnaligned(fromByteOffset: start + i * 8, as: Double.self)
              * v.loadUnaligned(fromByteOffset: i * 8, as: Double.self)
            i += 1
          }
          return sum
        }
      }
    }
  }

  /// Σ rᵢ xᵢ over rows.
  func transposedTimes(_ r: [Double]) -> [Double] {
    var out = [Double](repeating: 0, count: columns)
    out.withUnsafeMutableBufferPointer { out in
      values.withUnsafeBufferPointer { x in
        for row in 0..<count {
          let (factor, start) = (r[row], row * columns)
          for i in 0..<columns { out[i] += factor * x[start + i] }
        }
      }
    }
    return out
  }
}
