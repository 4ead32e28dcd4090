import CKernels

extension NativeBackend {
  public func makeCache(_ shape: AttentionShape) throws -> any KeyValueCache {
    try requireSizes(shape)
    return try NativeCache(shape: shape)
  }

  public func attention(
    q: Tensor, k: Tensor, v: Tensor, segments: [Range<Int>], caches: [any KeyValueCache]?, shape: AttentionShape
  ) throws -> Tensor {
    try requireHeads(q: q, k: k, shape)
    try require(k.shape == v.shape && k.rows == q.rows, "attention", "keys and values for every query", q, k, v)
    try require(
      segments.reduce(0) { $1.lowerBound == $0 ? $1.upperBound : -1 } == q.rows, "attention",
      "segments that cover the rows in order", q)
    // Everything is checked before the first cache is changed.
    let caches = try caches.map { try natives($0, count: segments.count, shape) }
    for (cache, segment) in zip(caches ?? [], segments) { try cache.makeRoom(for: segment.count) }
    let keyWidth = shape.keyValueHeads * shape.headDimension
    let (keys, values) = (try floats(k, "attention"), try floats(v, "attention"))
    var calls: [gs_attention] = []
    var firstRows: [Int] = []
    for (i, segment) in segments.enumerated() where !segment.isEmpty {
      var call = try forward(q: q, shape, rows: segment)
      if let cache = caches?[i] {
        call.first_query = Int64(cache.count)
        try cache.append(
          keys: keys + segment.lowerBound * keyWidth, values: values + segment.lowerBound * keyWidth,
          rows: segment.count)
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
    // The kernel sees addresses only: the caches' memory must outlive it.
    return try withExtendedLifetime(caches) {
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

  /// The caches of `count` segments as this backend's own, each made for `shape` and no two the same.
  private func natives(_ caches: [any KeyValueCache], count: Int, _ shape: AttentionShape) throws -> [NativeCache] {
    func failure(_ expected: String, _ found: String) -> TensorError {
      .shape(operation: "attention", expected: expected, found: found)
    }
    guard caches.count == count else { throw failure("\(count) caches", "\(caches.count)") }
    let natives = try caches.map { cache in
      guard let native = cache as? NativeCache else {
        throw TensorError.unavailable("attention: the cache belongs to another backend")
      }
      guard native.shape == shape else { throw failure("a cache made for \(shape)", "one made for \(native.shape)") }
      return native
    }
    guard Set(natives.map { ObjectIdentifier($0) }).count == count else {
      throw failure("a cache of its own for every segment", "the same cache twice")
    }
    return natives
  }

  private func requireSizes(_ shape: AttentionShape) throws {
    let isPossible =
      shape.queryHeads > 0 && shape.keyValueHeads > 0 && shape.headDimension > 0
      && shape.queryHeads % shape.keyValueHeads == 0 && shape.window ?? 1 > 0
      && Tensor.byteCount(shape: [shape.queryHeads, shape.headDimension], dtype: .f32) != nil
    guard isPossible else {
      throw TensorError.shape(
        operation: "attention", expected: "positive sizes and key heads that divide the query heads", found: "\(shape)")
    }
  }

  private func requireHeads(q: Tensor, k: Tensor, _ shape: AttentionShape) throws {
    try requireSizes(shape)
    try require(
      q.rowLength == shape.queryHeads * shape.headDimension && k.rowLength == shape.keyValueHeads * shape.headDimension,
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
    // The kernels add windows to positions; no sequence is as long as this one.
    call.window = Int64(min(shape.window ?? 0, 1 << 40))
    call.scale = shape.scale
    call.q = try floats(q, "attention") + rows.lowerBound * q.rowLength
    call.ldq = Int64(q.rowLength)
    call.ldk = Int64(shape.keyValueHeads * shape.headDimension)
    call.ldv = call.ldk
    call.ldo = call.ldq
    return call
  }
}
