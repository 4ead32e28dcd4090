import Foundation
import Tensors

extension TrainingState {
  /// Random decoder rows of unit length, encoder rows as `initialisation` says, biases and skips 0, all thresholds
  /// equal. A feature's numbers depend on the seed, its source and its index alone, not on how features are sharded.
  /// - Throws: `TrainingError.setting` where an encoder cannot be its decoder, or for a threshold that is not positive.
  public func initialise(_ initialisation: Initialisation) throws {
    guard initialisation.threshold > 0, initialisation.threshold.isFinite else {
      throw TrainingError.setting(
        name: "threshold", expected: "a positive number", found: "\(initialisation.threshold)")
    }
    guard initialisation.encoder == .independent || shape.inputWidth == shape.outputWidth else {
      throw TrainingError.setting(
        name: "initial encoder", expected: "independent, because what is read is not as wide as what is written",
        found: "decoder")
    }
    for (index, source) in sources.enumerated() {
      let (inputs, outputs) = (source.inputs, source.columns.count)
      for i in 0..<source.width {
        let row = UInt64(shape.shard.feature(i))
        let decoder = UnsafeMutableBufferPointer(start: source.decoder.value.pointer + i * outputs, count: outputs)
        let encoder = UnsafeMutableBufferPointer(start: source.encoder.value.pointer + i * inputs, count: inputs)
        CounterRandom(seed: initialisation.seed, stream: UInt64(2 * index), row: row).direction(decoder)
        switch initialisation.encoder {
        case .independent:
          CounterRandom(seed: initialisation.seed, stream: UInt64(2 * index + 1), row: row).direction(encoder)
          for j in 0..<inputs { encoder[j] *= initialisation.encoderScale }
        case .decoder:
          // The part that the source writes to its own layer comes first.
          let square = decoder[0..<inputs].reduce(0) { $0 + $1 * $1 }
          let scale = initialisation.encoderScale / max(square.squareRoot(), .leastNormalMagnitude)
          for j in 0..<inputs { encoder[j] = decoder[j] * scale }
        }
      }
      source.encoderBias.value.fill(0)
      source.logThreshold.value.fill(log(initialisation.threshold))
    }
    decoderBias.value.fill(0)
    for skip in skips { skip.value.fill(0) }
    forgetMoments()
  }

  /// Sets the decoder's bias to the mean of a batch's targets, so that features need not learn it.
  /// - Throws: `TrainingError.batch`.
  public func initialiseDecoderBias(_ batch: TrainingBatch) throws {
    try batch.check(shape)
    for (write, target) in batch.targets.enumerated() {
      let mean = try meanRow(target, rows: batch.tokens, scale: normalisation.targets[write])
      for (j, value) in mean.enumerated() { decoderBias.value[write * shape.outputWidth + j] = value }
    }
  }

  /// Sets the encoder's biases so that the mean of a batch's inputs encodes to 0. Kinds that do not subtract the
  /// decoder's bias would otherwise begin with features that fire everywhere or, most of them, nowhere.
  /// - Throws: `TrainingError.batch`.
  public func initialiseEncoderBias(_ batch: TrainingBatch) throws {
    try batch.check(shape)
    for (index, source) in sources.enumerated() {
      let mean = try meanRow(batch.inputs[index], rows: batch.tokens, scale: normalisation.inputs[index])
      for i in 0..<source.width {
        let row = source.encoder.value.pointer + i * source.inputs
        source.encoderBias.value[i] = -zip(mean, UnsafeBufferPointer(start: row, count: source.inputs)).reduce(0) {
          $0 + $1.0 * $1.1
        }
      }
    }
  }

  /// The mean row of `tensor` divided by `scale`.
  private func meanRow(_ tensor: Tensor, rows: Int, scale: Float) throws -> [Float] {
    guard let host = tensor.hostBytes?.baseAddress else { throw TrainingError.backend("another device's memory") }
    let sums = ops.columnSums(
      host.assumingMemoryBound(to: Float.self), rows: rows, columns: tensor.rowLength, stride: tensor.rowLength
    ).sums
    return sums.map { Float($0 / (Double(scale) * Double(rows))) }
  }

  /// Sets every threshold to the value that makes a batch's L0, summed over sources, `targetL0`: a quantile of all
  /// pre-activations of some of its tokens. Returns the threshold, in normalised units.
  /// - Throws: `TrainingError.setting` when even without a threshold fewer features are active; `TrainingError.batch`.
  @discardableResult public func calibrateThresholds(
    _ batch: TrainingBatch, targetL0: Float, reducer: any StepReducer = SingleRankReducer()
  ) throws -> Float {
    guard targetL0 >= 1, targetL0 < Float(shape.width * shape.sources) else {
      throw TrainingError.setting(
        name: "target L0", expected: "1 ..< \(shape.width * shape.sources)", found: "\(targetL0)")
    }
    let step = try TrainingStep(self, batch, StepSettings(learningRate: 0), reducer)
    try step.prepareInputs()
    let cut = try step.sampledCut(perToken: targetL0)
    guard cut > 0, cut.isFinite else {
      throw TrainingError.setting(
        name: "target L0", expected: "fewer features than have positive pre-activations", found: "\(targetL0)")
    }
    for source in sources { source.logThreshold.value.fill(log(cut)) }
    return cut
  }

  /// As if no step had been taken: moments, step and dead counters.
  func forgetMoments() {
    for parameter in sources.flatMap({ [$0.encoder, $0.encoderBias, $0.logThreshold, $0.decoder] }) + skips
      + [decoderBias]
    {
      parameter.second.fill(0)
      parameter.first?.fill(0)
    }
    for source in sources {
      source.lastStep.fill(0)
      source.lastFired.fill(0)
    }
    (steps, tokens, runningThreshold, candidateThreshold) = (0, 0, 0, -1)
  }
}
