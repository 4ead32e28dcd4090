import Tensors

/// Largest difference of two arrays, as a share of the largest number in `expected`.
func relativeDifference(_ found: [Float], _ expected: [Double]) -> Double {
  guard found.count == expected.count else { return .infinity }
  let scale = max(expected.reduce(0) { max($0, abs($1)) }, 1e-30)
  return zip(found, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) } / scale
}

/// A code as dense numbers [rows, width].
func dense(_ code: SparseCode, width: Int) -> [Float] {
  var values = [Float](repeating: 0, count: code.rows * width)
  for row in 0..<code.rows {
    for entry in code.entries(ofRow: row) { values[row * width + Int(code.features[entry])] = code.activations[entry] }
  }
  return values
}
