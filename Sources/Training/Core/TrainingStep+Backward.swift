import Foundation
import Tensors

extension TrainingStep {
  /// Gradients of all parameters and their update (or their record), frequency loss and dead share.
  func backward(
    _ codes: [PairCode], aux: Auxiliary?, recording: StepGradients?, report: inout StepReport
  ) throws {
    let settings = self.settings
    let adam = AdamStep(
      rate: settings.learningRate, beta1: state.adam.beta1, beta2: state.adam.beta2, epsilon: state.adam.epsilon,
      step: state.steps + 1)
    // What the shared parameters need of features as they were.
    let skipGradients = try state.skips.indices.map { source in
      let first = shape.firstWrite(source) * shape.outputWidth
      return try ops.outerProduct(
        memory.inputs[source], d: shape.inputWidth, memory.planes, columns: first..<first + shape.outputWidth)
    }
    var biasGradient = ops.columnSums(
      memory.planes.plane(0), rows: tokens, columns: shape.totalOutputWidth, stride: shape.totalOutputWidth
    ).sums.map { Float($0) }

    // The last four numbers are the frequency loss, the squared length of the gradients, dead features and pairs.
    var shared = [Float](repeating: 0, count: (shape.subtractsBias ? biasGradient.count : 0) + 4)
    let figures = shared.count - 4
    for (index, source) in state.sources.enumerated() {
      let blocks = (source.width + FeatureUpdate.pullBlock - 1) / FeatureUpdate.pullBlock
      let pull = shape.subtractsBias ? try HostArray<Float>(blocks * source.inputs) : nil
      let products = try products(codes[index], index)
      try ops.updateFeatures(
        FeatureUpdate(
          width: source.width, inputs: source.inputs, columns: source.columns,
          pairs: try products == nil ? ops.columns(codes[index], width: source.width) : nil, products: products,
          aux: try aux.map { try ops.columns($0.codes[index], width: source.width) }, x: memory.inputs[index],
          gradient: memory.planes, groupEnds: state.groupEnds, auxGradient: aux?.plane,
          threshold: state.hasThresholds ? source.threshold : nil, bandwidth: settings.bandwidth, slope: memory.slope,
          frequency: settings.frequency / Float(tokens), frequencyScale: state.objective.frequencyScale,
          encoder: source.encoder, encoderBias: source.encoderBias, logThreshold: source.logThreshold,
          decoder: source.decoder, lastStep: source.lastStep, adam: adam, biasRate: settings.biasRate,
          thresholdRate: settings.thresholdRate,
          active: source.active, pull: pull, norms: source.norms, gradients: recording?.sources[index]))
      if let pull {
        for block in 0..<blocks { for j in 0..<source.inputs { shared[j] += pull[block * source.inputs + j] } }
      }
      count(source, recording: recording, into: &shared, at: figures)
    }
    shared[figures + 3] = Float(report.pairs)
    try shared.withUnsafeMutableBufferPointer { try reducer.sum($0) }
    for j in 0..<figures { biasGradient[j] -= shared[j] }
    report.frequencyLoss = Double(shared[figures])
    report.loss += report.frequencyLoss
    report.gradientNorm = Double(shared[figures + 1]).squareRoot()
    report.deadShare = Double(shared[figures + 2]) / Double(shape.width * shape.sources)
    report.pairs = Int(shared[figures + 3])

    if let recording {
      recording.decoderBias = biasGradient
      recording.skips = skipGradients
      return
    }
    try ops.adam(state.decoderBias, gradient: biasGradient, adam)
    for (skip, gradient) in zip(state.skips, skipGradients) { try ops.adam(skip, gradient: gradient, adam) }
  }

  /// The gradient sums of a source by dense products; nil where pairs are to be gone through.
  private func products(_ code: PairCode, _ index: Int) throws -> FeatureProducts? {
    let source = state.sources[index]
    guard isDense(code, source) else { return nil }
    return try ops.gradientProducts(
      code, x: memory.inputs[index], inputs: source.inputs, gradient: memory.planes, columns: source.columns,
      groupEnds: state.groupEnds, decoder: source.decoder.value, width: source.width,
      threshold: state.hasThresholds ? source.threshold : nil, bandwidth: settings.bandwidth, slope: memory.slope)
  }

  /// Notes which features fired; adds frequency loss, squared gradients and dead features to `figures`.
  private func count(_ source: SourceState, recording: StepGradients?, into figures: inout [Float], at place: Int) {
    let now = Int64(state.tokens + tokens)
    let strength = state.hasThresholds ? Double(settings.frequency) : 0
    var (frequencyLoss, squares, dead) = (0.0, 0.0, 0)
    for i in 0..<source.width {
      let fired = source.active[i] > 0
      if fired, recording == nil { source.lastFired[i] = now }
      let share = Double(source.active[i]) / Double(tokens)
      frequencyLoss += strength * share * (1 + share / Double(state.objective.frequencyScale))
      squares += Double(source.norms[i])
      if !fired, now - source.lastFired[i] >= Int64(state.objective.deadAfterTokens) { dead += 1 }
    }
    figures[place] += Float(frequencyLoss)
    figures[place + 1] += Float(squares)
    figures[place + 2] += Float(dead)
  }
}
