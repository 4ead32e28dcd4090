import Sites
public import Tensors

/// Where one sequence's attention output comes from, in one layer: head h at position t is
/// Σ_s pattern[h, t, s] · values[s, h / (heads / keyValueHeads)].
public struct AttentionSources: Sendable {
  /// [heads, n, n], zero where a key is not visible.
  public let pattern: Tensor
  /// [n, keyValueHeads · headDimension], not rotated.
  public let values: Tensor
  /// The sizes of the attention.
  public let shape: AttentionShape
}

extension GemmaModel {
  /// The attention pattern and the values of one sequence in `layer`.
  /// - Parameter residual: the residual stream that the layer reads (`resid_post` of the layer before, or `embed`), all
  ///   rows of a sequence that begins at position 0, [n, width].
  /// - Throws: `SiteError` for a layer that the model lacks, `GemmaError.input` for rows of another width,
  ///   `TensorError`.
  public func attentionSources(layer: Int, residual: Tensor) throws -> AttentionSources {
    try shape.validate(.attnOut(layer))
    guard residual.shape.count == 2, residual.shape[1] == configuration.width else {
      throw GemmaError.input(
        "the residual stream has \(configuration.width) numbers a row, found shape \(residual.shape)")
    }
    let positions = Array(0..<residual.shape[0])
    let rotary = configuration.isGlobal[layer] ? globalRotary : localRotary
    let layerWeights = weights.layers[layer]
    let h = try backend.rmsNorm(
      residual, gain: layerWeights.inputGain, epsilon: configuration.normEpsilon, residual: nil)
    let projections = try rotatedProjections(h, layerWeights, try rotary.angles(positions, backend: backend))
    let shape = attentionShape(layer)
    return AttentionSources(
      pattern: try backend.attentionPattern(q: projections.q, k: projections.k, shape: shape),
      values: projections.v, shape: shape)
  }
}
