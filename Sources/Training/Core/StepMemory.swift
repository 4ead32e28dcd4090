import Tensors

/// What a step needs besides parameters, kept from step to step for batches of one size.
final class StepMemory {
  let tokens: Int
  /// What each source encodes: scaled, less the decoder's bias where that is subtracted. Sources that read one input
  /// would share it; they do not.
  let inputs: [HostArray<Float>]
  /// Decodes, then gradients, of every Matryoshka group.
  let planes: TrainingPlanes
  /// AuxK's decode, then gradient.
  let auxPlane: TrainingPlanes?
  /// y − x̂, for AuxK and for losses on the reconstruction.
  let residual: HostArray<Float>?
  /// Active features of each token.
  let active: HostArray<Int32>
  let auxActive: HostArray<Int32>
  /// d loss / d L0 of each token.
  let slope: HostArray<Float>
  /// [groups, tokens].
  let squares: HostArray<Float>
  let auxSquares: HostArray<Float>
  /// Of the batch.
  var outliers: [Outlier] = []

  init(_ shape: TrainingShape, groups: Int, hasAux: Bool, keepsResidual: Bool, tokens: Int) throws {
    self.tokens = tokens
    inputs = try (0..<shape.sources).map { _ in try HostArray(tokens * shape.inputWidth) }
    let columns = shape.totalOutputWidth
    planes = try TrainingPlanes(groups: groups, rows: tokens, columns: columns)
    auxPlane = hasAux ? try TrainingPlanes(groups: 1, rows: tokens, columns: columns) : nil
    residual = keepsResidual ? try HostArray(tokens * columns) : nil
    active = try HostArray(tokens)
    auxActive = try HostArray(hasAux ? tokens : 0)
    slope = try HostArray(tokens)
    squares = try HostArray(groups * tokens)
    auxSquares = try HostArray(hasAux ? tokens : 0)
  }
}
