import CKernels

extension NativeBackend: OptimizerOps {
  package func scale(
    _ x: Tensor, by scale: Float, minus bias: HostArray<Float>?, into out: HostArray<Float>
  ) throws {
    kernels.scale_rows(
      pool, Int64(x.rows), Int64(x.rowLength), try floats(x, "scale"), Int64(x.rowLength), scale, bias?.pointer,
      out.pointer)
  }

  package func encodePairs(
    _ x: HostArray<Float>, rows: Range<Int>, d: Int, weights: HostArray<Float>, bias: HostArray<Float>,
    threshold: HostArray<Float>, width: Int
  ) throws -> PairCode {
    var call = gs_encode(
      m: Int64(rows.count), d: Int64(d), width: Int64(width), x: x.pointer + rows.lowerBound * d, ldx: Int64(d),
      w: matrix(weights.pointer, rows: width, columns: d, stride: d), layout: GS_ROWS_ARE_OUTPUTS, bias: bias.pointer,
      threshold: threshold.pointer)
    var code = gs_sparse(rows: 0, row_offsets: nil, features: nil, activations: nil)
    try check(kernels.encode(pool, &call, &code), bytes: rows.count * d * 4)
    return PairCode(adopting: code)
  }

  package func gather(_ x: HostArray<Float>, d: Int, rows: [Int32], into out: HostArray<Float>) throws {
    var table = matrix(x.pointer, rows: x.count / max(d, 1), columns: d, stride: d)
    rows.withUnsafeBufferPointer { rows in
      kernels.gather_rows(pool, &table, rows.baseAddress, Int64(rows.count), 1, out.pointer, Int64(d))
    }
  }

  package func decodePairs(
    _ code: PairCode, threshold: HostArray<Float>?, decoder: HostArray<Float>, groupEnds: [Int32],
    into planes: TrainingPlanes, columns: Range<Int>, active: HostArray<Int32>
  ) {
    groupEnds.withUnsafeBufferPointer { ends in
      var call = gs_train_decode(
        rows: Int64(code.rows), d: Int64(columns.count), row_offsets: code.rowOffsets, features: code.features,
        z: code.values, threshold: threshold?.pointer, w: decoder.pointer, groups: Int64(ends.count),
        group_ends: ends.baseAddress, planes: planes.memory.pointer + columns.lowerBound, ldp: Int64(planes.columns),
        plane: Int64(planes.rows * planes.columns), active: active.pointer)
      kernels.train_decode(pool, &call)
    }
  }

  package func errors(_ e: TrainingErrors) {
    e.weights.withUnsafeBufferPointer { weights in
      var call = gs_train_errors(
        rows: Int64(e.planes.rows), d: Int64(e.columns.count), groups: Int64(weights.count),
        planes: e.planes.memory.pointer + e.columns.lowerBound, ldp: Int64(e.planes.columns),
        plane: Int64(e.planes.rows * e.planes.columns), target: e.target, ldt: Int64(e.targetStride),
        target_scale: e.targetScale, bias: e.bias, weights: weights.baseAddress, scale: e.scale,
        squares: e.squares.pointer, residual: e.residual.map { $0.pointer + e.columns.lowerBound })
      kernels.train_errors(pool, &call)
    }
  }

  package func columns(_ code: PairCode, width: Int) throws -> PairColumns {
    var columns = gs_columns(width: 0, offsets: nil, tokens: nil, values: nil)
    try check(
      kernels.train_columns(
        pool, Int64(code.rows), Int64(width), code.rowOffsets, code.features, code.values, &columns),
      bytes: code.count * 8)
    return PairColumns(adopting: columns)
  }

  package func updateFeatures(_ u: FeatureUpdate) throws {
    try u.groupEnds.withUnsafeBufferPointer { ends in
      let column = u.columns.lowerBound
      var call = gs_train_rows()
      call.width = Int64(u.width)
      call.tokens = Int64(u.gradient.rows)
      call.inputs = Int64(u.inputs)
      call.outputs = Int64(u.columns.count)
      if let pairs = u.pairs { call.pairs = pairs.columns }
      if let products = u.products { call.sums = products.kernelForm }
      if let aux = u.aux { call.aux = aux.columns }
      call.x = UnsafePointer(u.x.pointer)
      call.gradient = UnsafePointer(u.gradient.memory.pointer + column)
      call.ldg = Int64(u.gradient.columns)
      call.plane = Int64(u.gradient.rows * u.gradient.columns)
      call.groups = Int64(ends.count)
      call.group_ends = ends.baseAddress
      call.aux_gradient = u.auxGradient.map { UnsafePointer($0.memory.pointer + column) }
      call.threshold = u.threshold.map { UnsafePointer($0.pointer) }
      call.bandwidth = u.bandwidth
      call.slope = UnsafePointer(u.slope.pointer)
      call.frequency = u.frequency
      call.frequency_scale = u.frequencyScale
      call.encoder = u.encoder.kernelForm
      call.encoder_bias = u.encoderBias.kernelForm
      call.log_threshold = u.logThreshold.kernelForm
      call.decoder = u.decoder.kernelForm
      call.last_step = u.lastStep.pointer
      call.adam = u.adam.kernelForm
      call.bias_rate = u.biasRate
      call.threshold_rate = u.thresholdRate
      call.active = u.active.pointer
      call.pull = u.pull?.pointer
      call.norms = u.norms.pointer
      call.encoder_gradient = u.gradients?.encoder.pointer
      call.encoder_bias_gradient = u.gradients?.encoderBias.pointer
      call.log_threshold_gradient = u.gradients?.logThreshold.pointer
      call.decoder_gradient = u.gradients?.decoder.pointer
      try check(kernels.train_rows(pool, &call), bytes: (u.inputs + u.columns.count) * 4 * threads)
    }
  }

  package func adam(_ parameter: AdamParameter, gradient: [Float], _ step: AdamStep) throws {
    guard gradient.count == parameter.value.count else {
      throw TensorError.shape(
        operation: "adam", expected: "\(parameter.value.count) gradients", found: "\(gradient.count)")
    }
    var (form, settings) = (parameter.kernelForm, step.kernelForm)
    gradient.withUnsafeBufferPointer { kernels.adam(pool, Int64($0.count), &settings, &form, $0.baseAddress) }
  }

  package func columnSums(_ x: UnsafePointer<Float>, rows: Int, columns: Int, stride: Int) -> (
    sums: [Double], squares: [Double]
  ) {
    var sums = [Double](repeating: 0, count: columns)
    var squares = sums
    sums.withUnsafeMutableBufferPointer { sums in
      squares.withUnsafeMutableBufferPointer { squares in
        kernels.column_sums(
          pool, Int64(rows), Int64(columns), x, Int64(stride), sums.baseAddress, squares.baseAddress)
      }
    }
    return (sums, squares)
  }

  package func addProduct(
    _ x: HostArray<Float>, d: Int, _ w: HostArray<Float>, to planes: TrainingPlanes, columns: Range<Int>
  ) throws {
    var call = gs_gemm(
      m: Int64(planes.rows), n: Int64(columns.count), k: Int64(d), a: x.pointer, lda: Int64(d),
      b: matrix(w.pointer, rows: d, columns: columns.count, stride: columns.count), layout: GS_ROWS_ARE_INPUTS,
      c: planes.plane(0) + columns.lowerBound, ldc: Int64(planes.columns), bias: nil, accumulate: 1)
    try check(kernels.gemm(pool, &call), bytes: x.count * 4)
  }

  package func outerProduct(_ x: HostArray<Float>, d: Int, _ planes: TrainingPlanes, columns: Range<Int>) throws
    -> [Float]
  {
    let turned = try HostArray<Float>(planes.rows * d)
    kernels.transpose(pool, Int64(planes.rows), Int64(d), x.pointer, Int64(d), turned.pointer)
    var out = [Float](repeating: 0, count: d * columns.count)
    try out.withUnsafeMutableBufferPointer { out in
      var call = gs_gemm(
        m: Int64(d), n: Int64(columns.count), k: Int64(planes.rows), a: turned.pointer, lda: Int64(planes.rows),
        b: matrix(
          planes.plane(0) + columns.lowerBound, rows: planes.rows, columns: columns.count, stride: planes.columns),
        layout: GS_ROWS_ARE_INPUTS, c: out.baseAddress, ldc: Int64(columns.count), bias: nil, accumulate: 0)
      try check(kernels.gemm(pool, &call), bytes: out.count * 4)
    }
    return out
  }

  func matrix(_ data: UnsafePointer<Float>, rows: Int, columns: Int, stride: Int) -> gs_matrix {
    gs_matrix(
      data: UnsafeRawPointer(data), dtype: GS_F32, rows: Int64(rows), cols: Int64(columns),
      row_bytes: Int64(stride * 4), row_scale: nil)
  }
}

extension AdamParameter {
  var kernelForm: gs_parameter {
    gs_parameter(value: value.pointer, second: second.pointer, first: first?.pointer)
  }
}

extension AdamStep {
  var kernelForm: gs_adam {
    gs_adam(rate: rate, beta1: beta1, beta2: beta2, epsilon: epsilon, step: Int64(step))
  }
}
