import Dictionaries
import Tensors

extension DictionaryCode {
  /// Calls `body` with the read, the feature and its activation for all that is active on tokens `rows`, read by read.
  /// - Parameters:
  ///   - widths: features of each read.
  ///   - what: is being added up, for messages.
  /// - Throws: `EvaluationError.shape` for a code of another dictionary or tokens that it does not have.
  func forEachActive(
    in rows: [Int], widths: [Int], what: String, _ body: (_ read: Int, _ feature: Int, _ activation: Float) -> Void
  ) throws {
    guard layers.count == widths.count, rows.allSatisfy({ 0..<self.rows ~= $0 }) else {
      throw EvaluationError.shape(
        what: what, expected: "a code of \(widths.count) reads with the rows counted",
        found: "\(layers.count) reads of \(self.rows) rows")
    }
    for (read, layer) in layers.enumerated() {
      for row in rows {
        for entry in layer.entries(ofRow: row) {
          let feature = Int(layer.features[entry])
          guard 0..<widths[read] ~= feature else {
            throw EvaluationError.shape(
              what: what, expected: "features below \(widths[read])", found: "\(feature)")
          }
          body(read, feature, layer.activations[entry])
        }
      }
    }
  }
}
