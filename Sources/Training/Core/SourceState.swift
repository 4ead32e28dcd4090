import Tensors

/// One source's local features: parameters, optimiser state and counters. Row i of every array is local feature i.
final class SourceState {
  /// [width, inputWidth], the direction that each feature looks for.
  let encoder: AdamParameter
  /// [width].
  let encoderBias: AdamParameter
  /// [width]: log θ, so that θ stays positive and a step of the optimiser is a relative one.
  let logThreshold: AdamParameter
  /// [width, columns.count], rows of unit length.
  let decoder: AdamParameter
  /// The step that last moved each row's moments.
  let lastStep: HostArray<Int32>
  /// The token count at which each feature last fired.
  let lastFired: HostArray<Int64>
  /// Columns of the concatenated targets.
  let columns: Range<Int>
  let width: Int
  let inputs: Int

  // Rewritten in every step.
  let threshold: HostArray<Float>
  let candidateThreshold: HostArray<Float>
  let active: HostArray<Int32>
  let norms: HostArray<Float>

  init(_ shape: TrainingShape, source: Int, hasFirst: Bool) throws {
    width = shape.localWidth
    inputs = shape.inputWidth
    columns = shape.columns(ofSource: source)
    encoder = try AdamParameter(width * inputs, hasFirst: hasFirst)
    encoderBias = try AdamParameter(width, hasFirst: hasFirst)
    logThreshold = try AdamParameter(width, hasFirst: hasFirst)
    decoder = try AdamParameter(width * columns.count, hasFirst: hasFirst)
    lastStep = try HostArray(width)
    lastFired = try HostArray(width)
    threshold = try HostArray(width)
    candidateThreshold = try HostArray(width)
    active = try HostArray(width)
    norms = try HostArray(width)
  }
}
