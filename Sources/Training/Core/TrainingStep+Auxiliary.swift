import Tensors

extension TrainingStep {
  /// What AuxK adds to the gradients: pairs of dead features, and the gradient by what they decode.
  struct Auxiliary {
    var codes: [PairCode]
    var plane: TrainingPlanes
  }

  /// Decodes the strongest dead features of every token against what the others leave unexplained; nil without AuxK and
  /// while nothing is dead.
  func auxiliary(_ report: inout StepReport) throws -> Auxiliary? {
    guard let auxK = state.objective.auxK, let plane = memory.auxPlane, let residual = memory.residual else {
      return nil
    }
    let dead = state.sources.map { source in
      (0..<source.width).filter { state.tokens - Int(source.lastFired[$0]) >= auxK.deadAfterTokens }.map(Int32.init)
    }
    var deadCount = [Float(dead.reduce(0) { $0 + $1.count })]
    try deadCount.withUnsafeMutableBufferPointer { try reducer.sum($0) }
    guard deadCount[0] > 0 else { return nil }

    let encoders = try zip(state.sources, dead).map { source, dead in
      let encoder = Encoder(
        weights: try HostArray(dead.count * source.inputs), bias: try HostArray(dead.count),
        threshold: try HostArray(dead.count), width: dead.count)
      try ops.gather(source.encoder.value, d: source.inputs, rows: dead, into: encoder.weights)
      for (i, feature) in dead.enumerated() { encoder.bias[i] = source.encoderBias.value[Int(feature)] }
      return encoder
    }
    let (codes, _) = try selectOverTokens(k: auxK.k, encoders)
    plane.memory.fill(0)
    memory.auxActive.fill(0)
    for (index, source) in state.sources.enumerated() {
      codes[index].rename(dead[index])
      ops.decodePairs(
        codes[index], threshold: nil, decoder: source.decoder.value, groupEnds: [Int32(source.width)], into: plane,
        columns: source.columns, active: memory.auxActive)
    }
    try reducer.sum(plane.memory.buffer)
    memory.auxSquares.fill(0)
    // An error times √w has w times its square; its gradient is then to be multiplied once more.
    multiply(plane, memory.outliers) { $0.squareRoot() }
    for outlier in memory.outliers {
      let start = residual.pointer + place(outlier)
      for j in 0..<shape.outputWidth { start[j] *= outlier.weight.squareRoot() }
    }
    ops.errors(
      TrainingErrors(
        planes: plane, columns: 0..<shape.totalOutputWidth, target: UnsafePointer(residual.pointer),
        targetStride: shape.totalOutputWidth, targetScale: 1, bias: nil, weights: [auxK.coefficient],
        scale: 2 / Float(tokens), squares: memory.auxSquares))
    multiply(plane, memory.outliers) { $0.squareRoot() }
    let mean = memory.auxSquares.buffer.reduce(0.0) { $0 + Double($1) } / Double(tokens)
    report.auxLoss = Double(auxK.coefficient) * mean
    return Auxiliary(codes: codes, plane: plane)
  }
}
