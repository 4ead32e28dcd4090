package import Testing

/// How far `values` are from `expected`: the largest difference of a row divided by that row's largest magnitude.
/// Rows are compared one by one because the first token's activations dwarf all others.
package func relativeError(_ values: [Float], _ expected: [Float], rowLength: Int) -> Double {
  guard values.count == expected.count, rowLength > 0 else { return .infinity }
  var worst = 0.0
  for start in stride(from: 0, to: values.count, by: rowLength) {
    var difference = 0.0
    var magnitude = 0.0
    for i in start..<min(start + rowLength, values.count) {
      guard values[i].isFinite else { return .infinity }
      difference = max(difference, abs(Double(values[i]) - Double(expected[i])))
      magnitude = max(magnitude, abs(Double(expected[i])))
    }
    // A row of zeros must be matched by zeros.
    worst = max(worst, magnitude > 0 ? difference / magnitude : difference)
  }
  return worst
}

/// Expects `values` within `tolerance` of `expected`, row by row (see `relativeError`).
package func expectClose(
  _ values: [Float], _ expected: [Float], rowLength: Int, tolerance: Double, _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let error = relativeError(values, expected, rowLength: rowLength)
  #expect(error <= tolerance, "\(what): relative error \(error)", sourceLocation: sourceLocation)
}
