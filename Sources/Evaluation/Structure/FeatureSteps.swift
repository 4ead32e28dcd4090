import Dictionaries
import Tensors

/// An order in which the features of each read are taken in, in steps: with the sizes 4 and 9 the first four of the
/// order, then five more. Features beyond the last size are never taken in.
struct FeatureSteps: Sendable {
  /// Features of a read after each step.
  let sizes: [Int]
  /// For each read and feature the step that brings it; `sizes.count` for none.
  private let stepOfFeature: [[Int]]

  /// - Parameter order: for each read all its features, the first to be taken in first.
  init(_ order: [[Int]], sizes: [Int]) {
    self.sizes = sizes
    stepOfFeature = order.map { features in
      var steps = [Int](repeating: sizes.count, count: features.count)
      var step = 0
      for (rank, feature) in features.enumerated() {
        while step < sizes.count, rank >= sizes[step] { step += 1 }
        steps[feature] = step
      }
      return steps
    }
  }

  /// In the order of the features themselves.
  init(identity width: Int, reads: Int, sizes: [Int]) {
    self.init([[Int]](repeating: Array(0..<width), count: reads), sizes: sizes)
  }

  /// In an order drawn evenly from all (Durstenfeld 1964, Algorithm 235), for each read its own.
  init(shuffled width: Int, reads: Int, sizes: [Int], seed: UInt64, draw: Int) {
    let orders = (0..<reads).map { read in
      var random = SplitMix64(seed: seed, stream: UInt64(draw * reads + read + 1))
      var order = Array(0..<width)
      random.shuffle(&order)
      return order
    }
    self.init(orders, sizes: sizes)
  }

  /// Largest values first, of equal ones the first.
  init(falling values: [[Double]], sizes: [Int]) {
    self.init(
      values.map { values in values.indices.sorted { (values[$1], $0) < (values[$0], $1) } }, sizes: sizes)
  }

  /// The parts of a code that each step brings in.
  func parts(of code: DictionaryCode) throws -> [DictionaryCode] {
    let layers = try code.layers.enumerated().map { read, layer in
      var parts = [(offsets: [Int], features: [Int32], activations: [Float])](
        repeating: ([0], [], []), count: sizes.count)
      for row in 0..<layer.rows {
        for entry in layer.entries(ofRow: row) {
          let step = stepOfFeature[read][Int(layer.features[entry])]
          guard step < sizes.count else { continue }
          parts[step].features.append(layer.features[entry])
          parts[step].activations.append(layer.activations[entry])
        }
        for step in parts.indices { parts[step].offsets.append(parts[step].features.count) }
      }
      return try parts.map {
        try SparseCode(rowOffsets: $0.offsets, features: $0.features, activations: $0.activations)
      }
    }
    return try sizes.indices.map { step in try DictionaryCode(layers.map { $0[step] }) }
  }
}
