import CKernels

extension NativeBackend {
  public func encode(_ x: Tensor, weight: Tensor, bias: Tensor, threshold: Tensor) throws -> SparseCode {
    let width = weight.rowLength
    try require(
      x.rowLength > 0 && weight.rows == x.rowLength && bias.count == width && threshold.count == width, "encode",
      "x [n, d] with d > 0, weight [d, width], bias and threshold [width]", x, weight, bias, threshold)
    return try encode(x, weight, GS_ROWS_ARE_INPUTS, width, bias, threshold)
  }

  public func encode(_ x: Tensor, rows: Tensor, bias: Tensor, threshold: Tensor) throws -> SparseCode {
    let width = rows.rows
    try require(
      x.rowLength > 0 && rows.rowLength == x.rowLength && bias.count == width && threshold.count == width, "encode",
      "x [n, d] with d > 0, rows [width, d], bias and threshold [width]", x, rows, bias, threshold)
    return try encode(x, rows, GS_ROWS_ARE_OUTPUTS, width, bias, threshold)
  }

  private func encode(
    _ x: Tensor, _ weight: Tensor, _ layout: gs_layout, _ width: Int, _ bias: Tensor, _ threshold: Tensor
  ) throws -> SparseCode {
    var call = gs_encode(
      m: Int64(x.rows), d: Int64(x.rowLength), width: Int64(width), x: try floats(x, "encode"),
      ldx: Int64(x.rowLength), w: try matrix(weight, "encode"), layout: layout,
      bias: try floats(bias, "encode"), threshold: try floats(threshold, "encode"))
    var code = gs_sparse(rows: 0, row_offsets: nil, features: nil, activations: nil)
    try check(kernels.encode(pool, &call, &code), bytes: x.byteCount)
    defer { gs_sparse_free(&code) }
    let offsets = UnsafeBufferPointer(start: code.row_offsets, count: x.rows + 1).map { Int($0) }
    let count = offsets.last ?? 0
    return try SparseCode(
      rowOffsets: offsets, features: Array(UnsafeBufferPointer(start: code.features, count: count)),
      activations: Array(UnsafeBufferPointer(start: code.activations, count: count)))
  }

  public func decode(_ code: SparseCode, weight: Tensor, start: Int, rowStride: Int, d: Int, bias: Tensor?) throws
    -> Tensor
  {
    var slice = try matrix(weight, "decode")
    let elementBytes = weight.dtype.bytesPerBlock
    let rows = rowStride > 0 ? weight.count / rowStride : 0
    try require(
      !weight.dtype.isQuantised && weight.dtype != .i8
        || (start == 0 && rowStride == weight.rowLength && d == rowStride),
      "decode", "whole rows of a block format", weight)
    try require(
      start >= 0 && d >= 0 && start + d <= rowStride && rows * rowStride == weight.count, "decode",
      "\(d) of every \(rowStride) elements from \(start)", weight)
    if let bias { try require(bias.count == d, "decode", "a bias of \(d)", bias) }
    if let feature = code.features.first(where: { $0 < 0 || Int($0) >= rows }) {
      throw TensorError.outOfRange(operation: "decode", value: Int(feature), limit: rows)
    }
    if rowStride != weight.rowLength {
      slice.rows = Int64(rows)
      slice.row_bytes = Int64(rowStride * elementBytes)
    }
    if !weight.dtype.isQuantised {
      slice.data = slice.data + start * elementBytes
      slice.cols = Int64(d)
    }
    let offsets = code.rowOffsets.map { Int64($0) }
    let biasValues = try bias.map { try floats($0, "decode") }
    return try output([code.rows, d]) { out in
      code.features.withUnsafeBufferPointer { features in
        code.activations.withUnsafeBufferPointer { activations in
          offsets.withUnsafeBufferPointer { offsets in
            var call = gs_decode(
              rows: Int64(code.rows), d: Int64(d), row_offsets: offsets.baseAddress, features: features.baseAddress,
              activations: activations.baseAddress, w: slice, bias: biasValues, y: out, ldy: Int64(d), accumulate: 0)
            kernels.decode(pool, &call)
          }
        }
      }
    }
  }
}
