public import Tensors

/// Activations to learn from, as they are (not normalised): fp32, the same tokens in the same order everywhere.
public struct TrainingBatch: Sendable {
  /// For each source, [tokens, inputWidth].
  public let inputs: [Tensor]
  /// For each write, [tokens, outputWidth].
  public let targets: [Tensor]

  public init(inputs: [Tensor], targets: [Tensor]) {
    self.inputs = inputs
    self.targets = targets
  }

  /// What an SAE learns from.
  public init(sae activations: Tensor) { self.init(inputs: [activations], targets: [activations]) }

  public var tokens: Int { inputs.first?.rows ?? 0 }

  /// - Throws: `TrainingError.batch`.
  func check(_ shape: TrainingShape) throws {
    func fits(_ tensors: [Tensor], _ count: Int, _ width: Int) -> Bool {
      tensors.count == count && tensors.allSatisfy { $0.shape == [tokens, width] && $0.dtype == .f32 }
    }
    guard tokens > 0, tokens < Int(Int32.max), fits(inputs, shape.sources, shape.inputWidth),
      fits(targets, shape.writes, shape.outputWidth)
    else {
      throw TrainingError.batch(
        expected: "\(shape.sources) inputs f32 [tokens, \(shape.inputWidth)] and \(shape.writes) targets f32 "
          + "[tokens, \(shape.outputWidth)]",
        found: "\(inputs) and \(targets)")
    }
  }
}
