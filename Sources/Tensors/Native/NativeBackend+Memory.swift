import CKernels

extension NativeBackend {
  /// A host view of fp32 elements.
  func floats(_ x: Tensor, _ operation: String) throws -> UnsafePointer<Float> {
    guard x.dtype == .f32 else { throw TensorError.dtype(operation: operation, expected: "f32", found: x.dtype) }
    guard let bytes = x.hostBytes else { throw notOnHost(operation) }
    // An empty tensor has no memory; a kernel never touches the stand-in because its counts are zero.
    guard let base = bytes.baseAddress else { return emptyFloats }
    return base.assumingMemoryBound(to: Float.self)
  }

  /// A stored matrix as the kernels see it: the first axis counts rows, the others make up one row.
  func matrix(_ x: Tensor, _ operation: String) throws -> gs_matrix {
    guard let type = x.dtype.kernelType else {
      throw TensorError.dtype(
        operation: operation, expected: "f32, f16, bf16, scaled int8 or a block format", found: x.dtype)
    }
    // A row is whole blocks; the last axis alone may be, as in a tensor of one axis, whose rows are single elements.
    try require(x.rowLength % x.dtype.blockSize == 0, operation, "rows of whole blocks of \(x.dtype)", x)
    guard let bytes = x.hostBytes else { throw notOnHost(operation) }
    var scale: UnsafePointer<Float>?
    if x.dtype == .i8 {
      guard let host = x.rowScale as? HostStorage, host.byteCount >= x.rows * 4 else {
        throw TensorError.dtype(operation: operation, expected: "int8 with a scale per row", found: x.dtype)
      }
      scale = UnsafePointer(host.bytes.baseAddress?.assumingMemoryBound(to: Float.self))
    }
    return gs_matrix(
      data: bytes.baseAddress ?? UnsafeRawPointer(emptyFloats), dtype: type, rows: Int64(x.rows),
      cols: Int64(x.rowLength), row_bytes: Int64(x.rows == 0 ? 0 : x.byteCount / x.rows), row_scale: scale)
  }

  /// Checks a two-dimensional (or row-wise) shape.
  func require(_ condition: Bool, _ operation: String, _ expected: String, _ found: Tensor...) throws {
    guard condition else {
      throw TensorError.shape(
        operation: operation, expected: expected, found: found.map { "\($0.shape)" }.joined(separator: ", "))
    }
  }

  func check(_ status: Int32, bytes: Int) throws {
    guard status == GS_OK else { throw TensorError.outOfMemory(bytes: bytes) }
  }

  /// A new fp32 tensor, filled by `body` before anyone sees it.
  func output(_ shape: [Int], _ body: (UnsafeMutablePointer<Float>) throws -> Void) throws -> Tensor {
    guard let bytes = Tensor.byteCount(shape: shape, dtype: .f32) else {
      throw TensorError.shape(operation: "output", expected: "a shape that fits memory", found: "\(shape)")
    }
    let storage = try HostStorage(byteCount: bytes)
    guard let base = storage.bytes.baseAddress else { throw TensorError.outOfMemory(bytes: bytes) }
    try body(base.assumingMemoryBound(to: Float.self))
    return try Tensor(storage: storage, shape: shape, dtype: .f32)
  }

  private func notOnHost(_ operation: String) -> TensorError {
    .unavailable("\(operation): the tensor lives on another backend")
  }
}

/// What stands in for the address of an empty tensor.
nonisolated(unsafe) private let emptyFloats: UnsafePointer<Float> = {
  // Never freed and never written: one allocation for the life of the process.
  let memory = UnsafeMutablePointer<Float>.allocate(capacity: 16)
  memory.initialize(repeating: 0, count: 16)
  return UnsafePointer(memory)
}()
