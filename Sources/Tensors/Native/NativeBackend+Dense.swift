import CKernels

extension NativeBackend {
  public func tensor(_ values: [Float], shape: [Int]) throws -> Tensor { try Tensor(values, shape: shape) }

  public func upload(_ weight: Tensor) throws -> Tensor {
    _ = try matrix(weight, "upload")
    return weight
  }

  public func widen(_ x: Tensor) throws -> Tensor {
    if x.dtype == .f32 { return x }
    // One axis is one row: its blocks lie along it. Row scales stand for rows as they are.
    let table = x.shape.count == 1 && x.rowScale == nil ? try x.reshaped([1, x.count]) : x
    let ids = (0..<table.rows).map { Int32(truncatingIfNeeded: $0) }
    return try gather(table, rows: ids, scale: 1).reshaped(x.shape)
  }

  public func gather(_ table: Tensor, rows ids: [Int32], scale: Float) throws -> Tensor {
    var w = try matrix(table, "gather")
    for id in ids where id < 0 || Int(id) >= table.rows {
      throw TensorError.outOfRange(operation: "gather", value: Int(id), limit: table.rows)
    }
    let d = table.rowLength
    return try output([ids.count, d]) { out in
      kernels.gather_rows(pool, &w, ids, Int64(ids.count), scale, out, Int64(d))
    }
  }

  public func select(_ x: Tensor, rows: [Int]) throws -> Tensor {
    let source = try floats(x, "select")
    let d = x.rowLength
    for row in rows where row < 0 || row >= x.rows {
      throw TensorError.outOfRange(operation: "select", value: row, limit: x.rows)
    }
    return try output([rows.count] + x.shape.dropFirst()) { out in
      for (i, row) in rows.enumerated() { (out + i * d).update(from: source + row * d, count: d) }
    }
  }

  public func concatenate(_ parts: [Tensor]) throws -> Tensor {
    guard let first = parts.first else {
      throw TensorError.shape(operation: "concatenate", expected: "at least one tensor", found: "none")
    }
    let tail = Array(first.shape.dropFirst())
    for part in parts {
      try require(Array(part.shape.dropFirst()) == tail, "concatenate", "rows of shape \(tail)", part)
    }
    let pointers = try parts.map { try floats($0, "concatenate") }
    return try output([parts.reduce(0) { $0 + $1.rows }] + tail) { out in
      var next = out
      for (part, pointer) in zip(parts, pointers) {
        next.update(from: pointer, count: part.count)
        next += part.count
      }
    }
  }

  public func linear(_ x: Tensor, _ weight: Tensor) throws -> Tensor {
    try require(x.rowLength == weight.rowLength, "linear", "rows of x as long as rows of the weight", x, weight)
    return try product(x, weight, layout: GS_ROWS_ARE_OUTPUTS, outputs: weight.rows, "linear")
  }

  public func matmul(_ x: Tensor, _ weight: Tensor) throws -> Tensor {
    try require(x.rowLength == weight.rows, "matmul", "rows of x as long as the weight's first axis", x, weight)
    return try product(x, weight, layout: GS_ROWS_ARE_INPUTS, outputs: weight.rowLength, "matmul")
  }

  private func product(_ x: Tensor, _ weight: Tensor, layout: gs_layout, outputs: Int, _ operation: String) throws
    -> Tensor
  {
    try output([x.rows, outputs]) { try multiply(x, weight, layout: layout, into: $0, accumulate: false, operation) }
  }

  /// `c (+)= x·W`; `x` is read as rows of the weight's input length.
  func multiply(
    _ x: Tensor, _ weight: Tensor, layout: gs_layout, into c: UnsafeMutablePointer<Float>, accumulate: Bool,
    _ operation: String
  ) throws {
    let b = try matrix(weight, operation)
    let (n, k) = layout == GS_ROWS_ARE_OUTPUTS ? (weight.rows, weight.rowLength) : (weight.rowLength, weight.rows)
    let m = k == 0 ? x.rows : x.count / k
    var call = gs_gemm(
      m: Int64(m), n: Int64(n), k: Int64(k), a: try floats(x, operation), lda: Int64(k), b: b, layout: layout, c: c,
      ldc: Int64(n), bias: nil, accumulate: accumulate ? 1 : 0)
    try check(kernels.gemm(pool, &call), bytes: m * k * 4)
  }

  public func add(_ x: Tensor, _ y: Tensor, scale alpha: Float) throws -> Tensor {
    try require(x.shape == y.shape, "add", "equal shapes", x, y)
    let (source, addend) = (try floats(x, "add"), try floats(y, "add"))
    return try output(x.shape) { out in
      out.update(from: source, count: x.count)
      kernels.axpy(pool, Int64(x.count), alpha, addend, out)
    }
  }

  public func replacing(_ x: Tensor, rows: [Int], with values: Tensor) throws -> Tensor {
    let d = x.rowLength
    try require(values.rows == rows.count && values.rowLength == d, "replacing", "\(rows.count) rows of \(d)", values)
    for row in rows where row < 0 || row >= x.rows {
      throw TensorError.outOfRange(operation: "replacing", value: row, limit: x.rows)
    }
    let (source, new) = (try floats(x, "replacing"), try floats(values, "replacing"))
    return try output(x.shape) { out in
      out.update(from: source, count: x.count)
      for (i, row) in rows.enumerated() { (out + row * d).update(from: new + i * d, count: d) }
    }
  }

  public func logSumExp(_ x: Tensor) throws -> [Float] {
    let source = try floats(x, "logSumExp")
    var out = [Float](repeating: 0, count: x.rows)
    kernels.log_sum_exp(pool, Int64(x.rows), Int64(x.rowLength), source, Int64(x.rowLength), &out)
    return out
  }

  public func divergence(_ p: Tensor, _ q: Tensor) throws -> (values: [Double], gradient: Tensor) {
    var values: [Double] = []
    let sums = (p: try logSumExp(p), q: try logSumExp(q))
    let gradient = try output(q.shape) { values = try divergences(p, q, sums, gradient: $0) }
    return (values, gradient)
  }

  public func divergences(_ p: Tensor, _ q: Tensor, logSumExp: (p: [Float], q: [Float])) throws -> [Double] {
    try divergences(p, q, logSumExp, gradient: nil)
  }

  private func divergences(
    _ p: Tensor, _ q: Tensor, _ sums: (p: [Float], q: [Float]), gradient: UnsafeMutablePointer<Float>?
  ) throws -> [Double] {
    guard p.shape == q.shape, q.shape.count == 2 else {
      throw TensorError.shape(operation: "divergence", expected: "[n, v], twice", found: "\(p.shape) and \(q.shape)")
    }
    guard sums.p.count == p.rows, sums.q.count == q.rows else {
      throw TensorError.shape(
        operation: "divergence", expected: "\(q.rows) normalisers of both", found: "\(sums.p.count), \(sums.q.count)")
    }
    let (pLogits, qLogits) = (try floats(p, "divergence"), try floats(q, "divergence"))
    var values = [Double](repeating: 0, count: q.rows)
    kernels.divergence(pool, Int64(q.rows), Int64(q.rowLength), pLogits, sums.p, qLogits, sums.q, &values, gradient)
    return values
  }

  public func topK(_ x: Tensor, _ k: Int) throws -> [[(index: Int, value: Float)]] {
    let source = try floats(x, "topK")
    guard k >= 0, k <= x.rowLength else {
      throw TensorError.outOfRange(operation: "topK", value: k, limit: x.rowLength + 1)
    }
    guard k > 0 else { return Array(repeating: [], count: x.rows) }
    var ids = [Int32](repeating: 0, count: x.rows * k)
    var values = [Float](repeating: 0, count: x.rows * k)
    kernels.top_k(pool, Int64(x.rows), Int64(x.rowLength), source, Int64(x.rowLength), Int64(k), &ids, &values)
    return (0..<x.rows).map { row in (0..<k).map { (Int(ids[row * k + $0]), values[row * k + $0]) } }
  }
}
