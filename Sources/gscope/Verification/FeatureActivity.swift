import Dictionaries
import Tensors

/// What each feature does on a window of training activations: whether it fires, and how strongly.
struct FeatureActivity {
  /// For each read and feature the `quantile` of its activations where it fires; 0 where it never does.
  let maxima: [[Float]]
  /// Features that never fire, a share of all.
  let dead: Double

  /// The share of a feature's firings that stay below what is called its largest: one freak token does not set the scale
  /// by which it is steered.
  static let quantile = 0.99
  private static let rowsAtOnce = 2048

  /// - Parameters:
  ///   - inputs: [rows, width] for each read, f32 or bf16.
  ///   - limit: rows looked at.
  init(_ dictionary: SparseDictionary, inputs: [Tensor], limit: Int) throws {
    let shape = dictionary.shape
    var activations = shape.reads.map { _ in [[Float]](repeating: [], count: shape.width) }
    let rows = min(inputs.first?.rows ?? 0, limit)
    for start in stride(from: 0, to: rows, by: Self.rowsAtOnce) {
      let range = start..<min(start + Self.rowsAtOnce, rows)
      let code = try dictionary.encode(inputs.map { try dictionary.backend.widen($0.rows(range)) })
      for (read, layer) in code.layers.enumerated() {
        for row in 0..<range.count {
          for entry in layer.entries(ofRow: row) {
            activations[read][Int(layer.features[entry])].append(layer.activations[entry])
          }
        }
      }
      try Interruption.check()
    }
    var silent = 0
    maxima = activations.map { lists in
      lists.map { values in
        guard !values.isEmpty else {
          silent += 1
          return 0
        }
        let sorted = values.sorted()
        return sorted[min(sorted.count - 1, Int(Self.quantile * Double(sorted.count)))]
      }
    }
    dead = Double(silent) / Double(max(shape.totalWidth, 1))
  }
}
