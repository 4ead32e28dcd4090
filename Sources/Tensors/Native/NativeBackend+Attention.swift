import CKernels

extension NativeBackend {
  public func makeCache(_ shape: AttentionShape) throws -> any KeyValueCache { try NativeCache(shape: shape) }

  public func attention(
    q: Tensor, k: Tensor, v: Tensor, segments: [Range<Int>], caches: [any KeyValueCache]?, shape: AttentionShape
  ) throws -> Tensor {
    try requireHeads(q: q, k: k, shape)
    try require(k.shape == v.shape && k.rows == q.rows, "attention", "keys and values for every query", q, k, v)
    try require(
      segments.reduce(0) { $1.lowerBound == $0 ? $1.upperBound : -1 } == q.rows, "attention",
      "segments that cover the rows in order", q)
    if let caches, caches.count != segments.count {
      throw TensorError.shape(
        operation: "attention", expected: "\(segments.count) caches", found: "\(caches.count)")
    }
    let keyWidth = shape.keyValueHeads * shape.headDimension
    let (keys, values) = (try floats(k, "attention"), try floats(v, "attention"))
    var calls: [gs_attention] = []
    var firstRows: [Int] = []
    // Caches are held here so that their memory outlives the kernel call.
    var held: [NativeCache] = []
    for (i, segment) in segments.enumerated() where !segment.isEmpty {
      var call = try forward(q: q, shape, rows: segment)
      if let cache = caches?[i] {
        guard let cache = cache as? NativeCache else {
          throw TensorError.unavailable("attention: the cache belongs to another backend")
        }
        call.first_query = Int64(cache.count)
        try cache.append(
          keys: keys + segment.lowerBound * keyWidth, values: values + segment.lowerBound * keyWidth,
          rows: segment.count)
        held.append(cache)
        call.keys = Int64(cache.stored)
        call.first_key = Int64(cache.firstPosition)
        call.k = cache.keys.bytes.baseAddress.map { UnsafePointer($0.assumingMemoryBound(to: Float.self)) }
        call.v = cache.values.bytes.baseAddress.map { UnsafePointer($0.assumingMemoryBound(to: Float.self)) }
      } else {
        call.k = keys + segment.lowerBound * keyWidth
        call.v = values + segment.lowerBound * keyWidth
      }
      calls.append(call)
      firstRows.append(segment.lowerBound)
    }
    return try withExtendedLifetime(held) {
      try output(q.shape) { out in
        for i in calls.indices { calls[i].out = out + firstRows[i] * q.rowLength }
        try check(kernels.attention(pool, calls, Int64(calls.count)), bytes: q.byteCount)
      }
    }
  }

  public func attentionPattern(q: Tensor, k: Tensor, shape: AttentionShape) throws -> Tensor {
    try requireHeads(q: q, k: k, shape)
    var call = try forward(q: q, shape, rows: 0..<q.rows)
    call.keys = Int64(k.rows)
    call.k = try floats(k, "attentionPattern")
    return try output([shape.queryHeads, q.rows, k.rows]) { out in
      try check(kernels.attention_pattern(pool, &call, out), bytes: q.rows * k.rows * 4)
    }
  }

  public func attentionVJP(
    dOut: Tensor, q: Tensor, k: Tensor, v: Tensor, shape: AttentionShape, mode: GradientMode
  ) throws -> (dq: Tensor?, dk: Tensor?, dv: Tensor) {
    try requireHeads(q: q, k: k, shape)
    let batch = q.count == 0 ? 0 : dOut.count / q.count
    try require(k.shape == v.shape && batch * q.count == dOut.count, "attentionVJP", "[cotangents] × q", dOut, q, k, v)
    var call = gs_attention_vjp()
    call.forward = try forward(q: q, shape, rows: 0..<q.rows)
    call.forward.keys = Int64(k.rows)
    call.forward.k = try floats(k, "attentionVJP")
    call.forward.v = try floats(v, "attentionVJP")
    call.cotangents = Int64(batch)
    call.dout = try floats(dOut, "attentionVJP")
    let queryShape = [batch, q.rows, q.rowLength]
    let keyShape = [batch, k.rows, k.rowLength]
    guard mode == .exact else {
      let dv = try output(keyShape) {
        call.dv = $0
        try check(kernels.attention_vjp(pool, &call), bytes: dOut.byteCount)
      }
      return (nil, nil, dv)
    }
    var (dq, dk) = (q, k)
    let dv = try output(keyShape) { dvPointer in
      dk = try output(keyShape) { dkPointer in
        dq = try output(queryShape) { dqPointer in
          (call.dq, call.dk, call.dv) = (dqPointer, dkPointer, dvPointer)
          try check(kernels.attention_vjp(pool, &call), bytes: dOut.byteCount)
        }
      }
    }
    return (dq, dk, dv)
  }

  private func requireHeads(q: Tensor, k: Tensor, _ shape: AttentionShape) throws {
    try require(
      shape.headDimension > 0 && shape.keyValueHeads > 0 && shape.queryHeads % shape.keyValueHeads == 0
        && q.rowLength == shape.queryHeads * shape.headDimension
        && k.rowLength == shape.keyValueHeads * shape.headDimension,
      "attention", "\(shape.queryHeads) query and \(shape.keyValueHeads) key heads of \(shape.headDimension)", q, k)
  }

  /// The call for queries `rows` of a sequence that starts at position 0; keys, values and output are filled in later.
  private func forward(q: Tensor, _ shape: AttentionShape, rows: Range<Int>) throws -> gs_attention {
    var call = gs_attention()
    call.queries = Int64(rows.count)
    call.keys = Int64(rows.count)
    call.query_heads = Int64(shape.queryHeads)
    call.kv_heads = Int64(shape.keyValueHeads)
    call.head_dim = Int64(shape.headDimension)
    call.window = Int64(shape.window ?? 0)
    call.scale = shape.scale
    call.q = try floats(q, "attention") + rows.lowerBound * q.rowLength
    call.ldq = Int64(q.rowLength)
    call.ldk = Int64(shape.keyValueHeads * shape.headDimension)
    call.ldv = call.ldk
    call.ldo = call.ldq
    return call
  }
}
