import Foundation
public import Tensors

/// A dictionary in training: its parameters in normalised units, the optimiser's state, and what it counted so far.
///
/// ```swift
/// let state = try TrainingState(shape: shape, objective: objective, normalisation: scales, backend: backend)
/// try state.initialise(Initialisation(seed: 1, encoder: .decoder))
/// try state.calibrateThresholds(batch, targetL0: 60)
/// let report = try state.step(batch, settings)
/// ```
///
/// Memory: encoder and decoder rows twice (values and second moments), three times with β1 > 0; during a step the batch's
/// inputs, one reconstruction of the targets for each prefix, and some 20 bytes for each (token, feature) pair. Nothing
/// is ever [tokens × width]. Where many features are active, as with uncalibrated thresholds at the very start, a step
/// takes dense products of a few hundred tokens at a time instead of pairs; lists of pairs are then as long as a dense matrix
/// of a few numbers would be: calibrate, or take smaller batches there.
///
/// Results are the same bits for any number of threads. Not `Sendable`: a run owns it.
public final class TrainingState {
  public let shape: TrainingShape
  public let objective: TrainingObjective
  public let normalisation: Normalisation
  public let adam: AdamSettings
  /// Steps taken.
  public internal(set) var steps = 0
  /// Tokens trained on.
  public internal(set) var tokens = 0
  /// TopK's and BatchTopK's running threshold, in normalised units; 0 before the first step.
  public internal(set) var runningThreshold: Float = 0

  let ops: any OptimizerOps
  let prefixes: [TrainingObjective.Prefix]
  /// Where each prefix ends among a source's local features.
  let groupEnds: [Int32]
  let sources: [SourceState]
  /// [totalOutputWidth].
  let decoderBias: AdamParameter
  /// For each source [inputWidth, outputWidth]; empty unless affine.
  let skips: [AdamParameter]
  /// Where candidates for TopK and BatchTopK are first looked for: speed depends on it, results do not.
  var candidateThreshold: Float = -1
  /// Share of all (token, feature) pairs in a source's code above which a step takes dense products: measured, see
  /// `docs/training.md`.
  package var denseAbove = 0.35
  /// Whether a step's update has begun and not ended: when it throws then, the state is of no use.
  var isUpdating = false
  private var memory: StepMemory?

  /// A state of zeros; `initialise` or `restore` comes next.
  /// - Throws: `TrainingError.setting`, `TrainingError.backend`, `TensorError.outOfMemory`.
  public init(
    shape: TrainingShape, objective: TrainingObjective, normalisation: Normalisation,
    adam: AdamSettings = AdamSettings(), backend: any Backend
  ) throws {
    guard let ops = backend as? any OptimizerOps else { throw TrainingError.backend(backend.name) }
    try normalisation.check(shape)
    try adam.check()
    self.shape = shape
    self.objective = objective
    self.normalisation = normalisation
    self.adam = adam
    self.ops = ops
    prefixes = try objective.checkedPrefixes(width: shape.width)
    groupEnds = prefixes.map { Int32(shape.shard.localCount($0.size)) }
    let hasFirst = adam.beta1 > 0
    sources = try (0..<shape.sources).map { try SourceState(shape, source: $0, hasFirst: hasFirst) }
    decoderBias = try AdamParameter(shape.totalOutputWidth, hasFirst: hasFirst)
    skips =
      shape.isAffine
      ? try (0..<shape.sources).map { _ in
        try AdamParameter(shape.inputWidth * shape.outputWidth, hasFirst: hasFirst)
      } : []
  }

  /// Takes one step. A batch whose loss is not finite changes nothing and is reported (`StepReport.isFinite`).
  /// - Parameter loss: blended into the reconstruction loss by `StepSettings.endToEnd`; when it throws, nothing has changed.
  /// - Throws: `TrainingError.batch`, `TrainingError.setting`, `TensorError`, what the reducer throws.
  public func step(
    _ batch: TrainingBatch, _ settings: StepSettings, reducer: any StepReducer = SingleRankReducer(),
    loss: (any ReconstructionLoss)? = nil
  ) throws -> StepReport {
    try TrainingStep(self, batch, settings, reducer, loss).run(recording: nil)
  }

  /// Losses and all gradients of a batch, changing nothing but counters of the report.
  package func gradients(
    _ batch: TrainingBatch, _ settings: StepSettings, reducer: any StepReducer = SingleRankReducer(),
    loss: (any ReconstructionLoss)? = nil
  ) throws -> (report: StepReport, gradients: StepGradients) {
    let gradients = try StepGradients(shape)
    return (try TrainingStep(self, batch, settings, reducer, loss).run(recording: gradients), gradients)
  }

  /// Whether thresholds are learned.
  var hasThresholds: Bool { objective.activation == .jumpReLU }

  func memory(tokens: Int, keepsResidual: Bool) throws -> StepMemory {
    let hasAux = objective.auxK != nil
    if let memory, memory.tokens == tokens, !keepsResidual || memory.residual != nil { return memory }
    memory = nil
    let fresh = try StepMemory(
      shape, groups: prefixes.count, hasAux: hasAux, keepsResidual: keepsResidual || hasAux, tokens: tokens)
    memory = fresh
    return fresh
  }
}

/// Gradients of a step as they are before the optimiser, in normalised units.
package final class StepGradients {
  package let sources: [FeatureUpdate.Gradients]
  package internal(set) var decoderBias: [Float] = []
  package internal(set) var skips: [[Float]] = []

  init(_ shape: TrainingShape) throws {
    sources = try (0..<shape.sources).map {
      try FeatureUpdate.Gradients(
        width: shape.localWidth, inputs: shape.inputWidth, outputs: shape.columns(ofSource: $0).count)
    }
  }
}
