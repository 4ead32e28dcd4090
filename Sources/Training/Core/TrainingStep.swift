import Foundation
import Tensors

/// One step, in phases between which ranks exchange sums: encode and decode what is here, add up the reconstructions,
/// turn them into losses and gradients, update.
struct TrainingStep {
  let state: TrainingState
  let batch: TrainingBatch
  let settings: StepSettings
  let reducer: any StepReducer
  let loss: (any ReconstructionLoss)?
  let memory: StepMemory

  var shape: TrainingShape { state.shape }
  var ops: any OptimizerOps { state.ops }
  var tokens: Int { batch.tokens }

  init(
    _ state: TrainingState, _ batch: TrainingBatch, _ settings: StepSettings, _ reducer: any StepReducer,
    _ loss: (any ReconstructionLoss)? = nil
  ) throws {
    try batch.check(state.shape)
    try settings.check(state.objective.activation)
    self.state = state
    self.batch = batch
    self.settings = settings
    self.reducer = reducer
    self.loss = loss
    memory = try state.memory(tokens: batch.tokens, keepsResidual: loss != nil)
  }

  /// - Parameter recording: takes the gradients in place of an update.
  func run(recording: StepGradients?) throws -> StepReport {
    try prepareInputs()
    let selection = try encode()
    try decode(selection.codes)
    var report = try losses()
    if let loss { try blend(loss, into: &report) }
    report.pairs = selection.codes.reduce(0) { $0 + $1.count }
    report.smallestSelected = selection.smallest.map(Double.init)
    let aux = try auxiliary(&report)
    report.loss += report.sparsityLoss + report.auxLoss
    guard report.isFinite else { return report }

    state.isUpdating = recording == nil
    try backward(selection.codes, aux: aux, recording: recording, report: &report)
    if recording == nil {
      state.steps += 1
      state.tokens += tokens
      if let smallest = selection.smallest { moveThreshold(smallest) }
      if let candidate = selection.candidateThreshold { state.candidateThreshold = candidate }
      state.isUpdating = false
    }
    report.step = state.steps
    return report
  }

  /// Scales the inputs; SAEs also subtract the decoder's bias.
  func prepareInputs() throws {
    for (source, input) in batch.inputs.enumerated() {
      try ops.scale(
        input, by: 1 / state.normalisation.inputs[source],
        minus: shape.subtractsBias ? state.decoderBias.value : nil, into: memory.inputs[source])
    }
  }

  /// Whether so many features are active that dense products are faster than pairs: at first, before thresholds have
  /// risen from a constant.
  func isDense(_ code: PairCode, _ source: SourceState) -> Bool {
    Double(code.count) > state.denseAbove * Double(tokens) * Double(source.width)
  }

  /// Decodes the active pairs by group, on all ranks, and counts them for each token.
  private func decode(_ codes: [PairCode]) throws {
    memory.planes.memory.fill(0)
    memory.active.fill(0)
    for (source, code) in zip(state.sources, codes) {
      let threshold = state.hasThresholds ? source.threshold : nil
      if isDense(code, source) {
        try ops.decodeProducts(
          code, threshold: threshold, decoder: source.decoder.value, width: source.width, groupEnds: state.groupEnds,
          into: memory.planes, columns: source.columns, active: memory.active)
        continue
      }
      ops.decodePairs(
        code, threshold: threshold, decoder: source.decoder.value, groupEnds: state.groupEnds, into: memory.planes,
        columns: source.columns, active: memory.active)
    }
    try reducer.sum(memory.planes.memory.buffer)
  }

  /// Reconstruction and sparsity losses; leaves gradients in the planes and the L0 term's slopes.
  private func losses() throws -> StepReport {
    for (source, skip) in state.skips.enumerated() {
      let first = shape.firstWrite(source) * shape.outputWidth
      try ops.addProduct(
        memory.inputs[source], d: shape.inputWidth, skip.value, to: memory.planes,
        columns: first..<first + shape.outputWidth)
    }
    memory.squares.fill(0)
    memory.outliers = try findOutliers()
    var (variance, squaredErrors) = (0.0, 0.0)
    for (write, target) in batch.targets.enumerated() {
      let columns = write * shape.outputWidth..<(write + 1) * shape.outputWidth
      let scale = 1 / state.normalisation.targets[write]
      guard let host = target.hostBytes?.baseAddress else { throw TrainingError.backend("another device's memory") }
      let values = host.assumingMemoryBound(to: Float.self)
      let before = squares(of: memory.outliers, at: write)
      ops.errors(
        TrainingErrors(
          planes: memory.planes, columns: columns, target: values, targetStride: shape.outputWidth, targetScale: scale,
          bias: UnsafePointer(state.decoderBias.value.pointer + columns.lowerBound),
          weights: state.prefixes.map(\.weight), scale: 2 / Float(tokens), squares: memory.squares,
          residual: memory.residual))
      squaredErrors += lightenSquares(memory.outliers, at: write, before: before)
      multiply(memory.planes, memory.outliers, at: write) { $0 }
      let (sums, squares) = ops.columnSums(
        values, rows: tokens, columns: shape.outputWidth, stride: shape.outputWidth)
      for (sum, square) in zip(sums, squares) {
        variance += (square - sum * sum / Double(tokens)) * Double(scale) * Double(scale)
      }
    }
    let prefixLosses = state.prefixes.indices.map { group in
      let row = UnsafeBufferPointer(rebasing: memory.squares.buffer[group * tokens..<(group + 1) * tokens])
      return row.reduce(0.0) { $0 + Double($1) } / Double(tokens)
    }
    // What the weights of outliers took away is variance that was not explained all the same.
    squaredErrors += (prefixLosses.last ?? 0) * Double(tokens)
    let weighted = zip(prefixLosses, state.prefixes).reduce(0.0) { $0 + $1.0 * Double($1.1.weight) }
    let reconstruction = prefixLosses.last ?? 0
    let (l0, sparsity) = try sparsityTerm()
    return StepReport(
      step: state.steps, loss: weighted, reconstruction: reconstruction, prefixLosses: prefixLosses,
      fvu: squaredErrors / variance, l0: l0, sparsityLoss: sparsity, frequencyLoss: 0, auxLoss: 0,
      kl: nil, deadShare: 0, smallestSelected: nil, pairs: 0, gradientNorm: 0)
  }

  /// Mean L0 over all ranks, and λ · mean (2/L0*)(L0 − L0*)² with its slopes.
  private func sparsityTerm() throws -> (l0: Double, loss: Double) {
    for token in 0..<tokens { memory.slope[token] = Float(memory.active[token]) }
    try reducer.sum(memory.slope.buffer)
    let (target, strength) = (settings.targetL0, state.hasThresholds ? settings.sparsity : 0)
    var (total, loss) = (0.0, 0.0)
    for token in 0..<tokens {
      let count = memory.slope[token]
      let excess = count - target
      total += Double(count)
      loss += Double(excess) * Double(excess)
      memory.slope[token] = strength * (4 / target) * excess / Float(tokens)
    }
    return (total / Double(tokens), Double(strength) * 2 / Double(target) * loss / Double(tokens))
  }

  /// The running mean of the smallest selected activation: the plain mean at first, then exponential.
  private func moveThreshold(_ smallest: Float) {
    let kept = min(state.objective.thresholdMomentum, 1 - 1 / Float(state.steps))
    state.runningThreshold = kept * state.runningThreshold + (1 - kept) * smallest
  }
}
