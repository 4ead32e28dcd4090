public import Dictionaries
import Tensors

/// How much each feature writes: Σ f² ‖d‖² over the tokens that count, f its activation and d its decoder row over all
/// writes.
public struct FeatureEnergy: Sendable {
  /// ‖d‖² for each read and feature.
  private let squares: [[Double]]
  /// Σ f² alike.
  private var activations: [[Double]]

  /// - Throws: `TensorError`, `EvaluationError.shape` for weights that are not finite.
  public init(_ dictionary: SparseDictionary) throws {
    squares = try dictionary.shape.reads.indices.map { read in
      try UnitRows(decoderOf: dictionary, read: read).norms.map { $0 * $0 }
    }
    activations = squares.map { $0.map { _ in 0 } }
  }

  /// Adds tokens.
  /// - Throws: `EvaluationError.shape` for a code of another dictionary.
  public mutating func add(_ code: DictionaryCode, rows: [Int]) throws {
    guard code.layers.count == squares.count, rows.allSatisfy({ 0..<code.rows ~= $0 }) else {
      throw EvaluationError.shape(
        what: "feature energies", expected: "a code of \(squares.count) reads with the rows counted",
        found: "\(code.layers.count) reads of \(code.rows) rows")
    }
    for (read, layer) in code.layers.enumerated() {
      for row in rows {
        for entry in layer.entries(ofRow: row) {
          let feature = Int(layer.features[entry])
          guard feature < squares[read].count else {
            throw EvaluationError.shape(
              what: "feature energies", expected: "features below \(squares[read].count)", found: "\(feature)")
          }
          let activation = Double(layer.activations[entry])
          activations[read][feature] += activation * activation
        }
      }
    }
  }

  /// The energies, for each read and feature.
  public var values: [[Double]] {
    zip(squares, activations).map { zip($0, $1).map { $0 * $1 } }
  }
}
