import CKernels

extension NativeBackend {
  public func rmsNorm(_ x: Tensor, gain: Tensor, epsilon: Float, residual: Tensor?) throws -> Tensor {
    let d = gain.count
    try require(d > 0 && x.rowLength % d == 0, "rmsNorm", "rows that hold groups of \(d)", x)
    if let residual { try require(residual.shape == x.shape, "rmsNorm", "a residual of x's shape", x, residual) }
    let (source, weights) = (try floats(x, "rmsNorm"), try floats(gain, "rmsNorm"))
    let addend = try residual.map { try floats($0, "rmsNorm") }
    return try output(x.shape) { out in
      kernels.rms_norm(pool, Int64(x.count / d), Int64(d), source, weights, epsilon, addend, out)
    }
  }

  public func rmsNormVJP(_ dy: Tensor, x: Tensor, gain: Tensor, epsilon: Float, mode: GradientMode) throws -> Tensor {
    let d = gain.count
    let batch = x.count == 0 ? 0 : dy.count / x.count
    try require(
      d > 0 && x.rowLength % d == 0 && batch * x.count == dy.count, "rmsNormVJP", "[cotangents] × the shape of x", dy,
      x)
    let (gradient, source) = (try floats(dy, "rmsNormVJP"), try floats(x, "rmsNormVJP"))
    let weights = try floats(gain, "rmsNormVJP")
    return try output(dy.shape) { out in
      kernels.rms_norm_vjp(
        pool, Int64(batch), Int64(x.count / d), Int64(d), gradient, source, weights, epsilon, mode == .frozen ? 1 : 0,
        out)
    }
  }

  public func rope(_ x: Tensor, headDimension: Int, angles: RotaryAngles, inverse: Bool) throws -> Tensor {
    let n = angles.cosines.rows
    let (cosines, sines) = (try floats(angles.cosines, "rope"), try floats(angles.sines, "rope"))
    let source = try floats(x, "rope")
    let width = x.shape.last ?? 0
    try require(
      headDimension > 0 && width % headDimension == 0 && n * width > 0 && x.count % (n * width) == 0
        && angles.cosines.rowLength * 2 == headDimension && angles.sines.shape == angles.cosines.shape,
      "rope", "heads of \(headDimension) for \(n) rows of angles", x, angles.cosines, angles.sines)
    return try output(x.shape) { out in
      out.update(from: source, count: x.count)
      for start in stride(from: 0, to: x.count, by: n * width) {
        kernels.rope(
          pool, Int64(n), Int64(width / headDimension), Int64(headDimension), out + start, cosines, sines,
          inverse ? 1 : 0)
      }
    }
  }

  public func gatedMLP(_ x: Tensor, gate: Tensor, up: Tensor, down: Tensor) throws -> Tensor {
    try linear(try gated(x, gate: gate, up: up).hidden, down)
  }

  public func gatedMLPVJP(_ dy: Tensor, x: Tensor, gate: Tensor, up: Tensor, down: Tensor) throws -> Tensor {
    let (n, f) = (x.rows, gate.rows)
    let batch = x.count == 0 ? 0 : dy.count / x.count
    try require(batch * x.count == dy.count && down.rows == x.rowLength, "gatedMLPVJP", "[cotangents] × x", dy, x)
    let forward = try gated(x, gate: gate, up: up, keep: true)
    let dHidden = try output([batch, n, f]) {
      try multiply(dy, down, layout: GS_ROWS_ARE_INPUTS, into: $0, accumulate: false, "gatedMLPVJP")
    }
    var dUp = dHidden
    // The kernel sees addresses only: the tensors made here must outlive it.
    let dGate = try withExtendedLifetime((forward, dHidden)) {
      let (gateValues, upValues) = (try floats(forward.gate, "gatedMLPVJP"), try floats(forward.up, "gatedMLPVJP"))
      let incoming = try floats(dHidden, "gatedMLPVJP")
      return try output([batch, n, f]) { dGate in
        dUp = try output([batch, n, f]) { dUp in
          kernels.gelu_gate_vjp(pool, Int64(batch), Int64(n * f), gateValues, upValues, incoming, dGate, dUp)
        }
      }
    }
    return try output(dy.shape) { out in
      try multiply(dGate, gate, layout: GS_ROWS_ARE_INPUTS, into: out, accumulate: false, "gatedMLPVJP")
      try multiply(dUp, up, layout: GS_ROWS_ARE_INPUTS, into: out, accumulate: true, "gatedMLPVJP")
    }
  }

  /// gelu_tanh(x·gateᵀ) ∘ (x·upᵀ); with `keep` also the two products (else empty).
  private func gated(_ x: Tensor, gate: Tensor, up: Tensor, keep: Bool = false) throws -> (
    hidden: Tensor, gate: Tensor, up: Tensor
  ) {
    try require(
      x.rowLength == gate.rowLength && gate.shape == up.shape, "gatedMLP", "gate and up of x's width", x, gate, up)
    let source = try floats(x, "gatedMLP")
    let shape = [x.rows, gate.rows]
    let kept = keep ? shape : [0]
    var (gateOut, upOut) = (x, x)
    let hidden = try output(shape) { out in
      gateOut = try output(kept) { gatePointer in
        upOut = try output(kept) { upPointer in
          var call = gs_gated(
            m: Int64(x.rows), n: Int64(gate.rows), k: Int64(x.rowLength), a: source, lda: Int64(x.rowLength),
            gate: try matrix(gate, "gatedMLP"), up: try matrix(up, "gatedMLP"), out: out, ldo: Int64(gate.rows),
            gate_out: keep ? gatePointer : nil, up_out: keep ? upPointer : nil)
          try check(kernels.gated(pool, &call), bytes: x.byteCount)
        }
      }
    }
    return (hidden, gateOut, upOut)
  }
}
