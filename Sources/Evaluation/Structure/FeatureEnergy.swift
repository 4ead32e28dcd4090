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
    try code.forEachActive(in: rows, widths: squares.map(\.count), what: "feature energies") { read, feature, f in
      activations[read][feature] += Double(f) * Double(f)
    }
  }

  /// The energies, for each read and feature.
  public var values: [[Double]] {
    zip(squares, activations).map { zip($0, $1).map { $0 * $1 } }
  }
}
