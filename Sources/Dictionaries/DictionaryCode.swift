public import Tensors

/// Active features of a run of tokens: one sparse code for each layer a dictionary reads.
public struct DictionaryCode: Sendable, Equatable {
  /// One for each read, in order; all of the same number of rows.
  public let layers: [SparseCode]

  /// - Throws: `DictionaryError.input` when there is no layer or the layers disagree on the number of tokens.
  public init(_ layers: [SparseCode]) throws {
    guard let rows = layers.first?.rows, layers.allSatisfy({ $0.rows == rows }) else {
      throw DictionaryError.input(
        operation: "dictionary code", expected: "layers of equally many tokens",
        found: layers.isEmpty ? "none" : "\(layers.map(\.rows))")
    }
    self.layers = layers
  }

  /// Number of tokens.
  public var rows: Int { layers[0].rows }
  /// Active features in all.
  public var count: Int { layers.reduce(0) { $0 + $1.count } }

  /// Active features of token `row`, all layers together.
  public func activeCount(inRow row: Int) -> Int { layers.reduce(0) { $0 + $1.entries(ofRow: row).count } }

  /// A feature that is on.
  public struct Active: Sendable, Hashable {
    /// The read it belongs to, from 0.
    public let read: Int
    /// Its index within that read.
    public let feature: Int
    /// How strongly it is on, above 0.
    public let activation: Float

    /// A feature and its activation.
    public init(read: Int, feature: Int, activation: Float) {
      self.read = read
      self.feature = feature
      self.activation = activation
    }
  }

  /// Active features of token `row`, largest activation first (equal ones by read, then index), at most `limit`.
  public func active(inRow row: Int, limit: Int? = nil) -> [Active] {
    var all: [Active] = []
    for (read, code) in layers.enumerated() {
      for entry in code.entries(ofRow: row) {
        all.append(Active(read: read, feature: Int(code.features[entry]), activation: code.activations[entry]))
      }
    }
    // The sort is not stable: ties are told apart by where the feature stands.
    all.sort { ($1.activation, $0.read, $0.feature) < ($0.activation, $1.read, $1.feature) }
    return limit.map { Array(all.prefix(max($0, 0))) } ?? all
  }
}
