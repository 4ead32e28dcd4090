import Tensors

/// A code by feature: entries `offsets[f] ..< offsets[f + 1]` are the rows in which feature f is on, ascending.
struct FeatureColumns {
  let offsets: [Int]
  let rows: [Int32]
  let activations: [Float]

  /// - Parameters:
  ///   - width: features of the code; its feature indices are below it.
  ///   - isCounted: for each row whether its entries are taken.
  init(_ code: SparseCode, width: Int, isCounted: [Bool]) {
    var ends = [Int](repeating: 0, count: width + 1)
    for row in 0..<code.rows where isCounted[row] {
      for entry in code.entries(ofRow: row) { ends[Int(code.features[entry]) + 1] += 1 }
    }
    for feature in 0..<width { ends[feature + 1] += ends[feature] }
    offsets = ends
    var rows = [Int32](repeating: 0, count: ends[width])
    var activations = [Float](repeating: 0, count: ends[width])
    for row in 0..<code.rows where isCounted[row] {
      for entry in code.entries(ofRow: row) {
        let feature = Int(code.features[entry])
        rows[ends[feature]] = Int32(row)
        activations[ends[feature]] = code.activations[entry]
        ends[feature] += 1
      }
    }
    self.rows = rows
    self.activations = activations
  }
}
