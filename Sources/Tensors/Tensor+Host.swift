import Foundation

extension Tensor {
  /// A tensor in host memory holding `values`.
  /// - Throws: `TensorError.shape` when the count does not fit the shape, `TensorError.outOfMemory`.
  public init(_ values: [Float], shape: [Int]) throws { try self.init(copying: values, shape: shape, dtype: .f32) }

  /// A tensor of whole numbers in host memory.
  /// - Throws: `TensorError.shape` when the count does not fit the shape, `TensorError.outOfMemory`.
  public init(integers values: [Int32], shape: [Int]) throws {
    try self.init(copying: values, shape: shape, dtype: .i32)
  }

  /// A tensor of 64-bit whole numbers in host memory.
  /// - Throws: `TensorError.shape` when the count does not fit the shape, `TensorError.outOfMemory`.
  public init(integers values: [Int64], shape: [Int]) throws {
    try self.init(copying: values, shape: shape, dtype: .i64)
  }

  private init<Element: BitwiseCopyable>(copying values: [Element], shape: [Int], dtype: DType) throws {
    guard Self.byteCount(shape: shape, dtype: dtype) == values.count * MemoryLayout<Element>.size else {
      throw TensorError.shape(
        operation: "tensor", expected: "as many values as shape \(shape) holds", found: "\(values.count)")
    }
    let storage = try HostStorage(byteCount: values.count * MemoryLayout<Element>.size)
    values.withUnsafeBytes { storage.bytes.copyMemory(from: $0) }
    try self.init(storage: storage, shape: shape, dtype: dtype)
  }

  /// The elements as Float, widened from fp32, bf16, f16, f64 or int8 (times its row scale).
  /// - Throws: `TensorError.dtype` for whole-number and block formats (a backend's `widen` reads blocks), or the
  ///   device's error.
  public func read() throws -> [Float] {
    try withBytes { bytes in
      switch dtype {
      case .f32: return Array(bytes.assumingMemoryBound(to: Float.self))
      case .f64: return bytes.assumingMemoryBound(to: Double.self).map { Float($0) }
      case .bf16: return bytes.assumingMemoryBound(to: UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }
      case .f16: return bytes.assumingMemoryBound(to: UInt16.self).map { Float(halfBits: $0) }
      case .i8: return try scaled(bytes.assumingMemoryBound(to: Int8.self))
      default: throw TensorError.dtype(operation: "read", expected: "floating-point", found: dtype)
      }
    }
  }

  private func scaled(_ values: UnsafeBufferPointer<Int8>) throws -> [Float] {
    guard let rowScale else { return values.map { Float($0) } }
    var scales = [Float](repeating: 0, count: rows)
    try scales.withUnsafeMutableBytes { try rowScale.copy(from: 0, to: $0) }
    let length = rowLength
    return values.indices.map { Float(values[$0]) * scales[$0 / max(length, 1)] }
  }

  /// An fp32 tensor's elements for the length of `body`, in place where they are on the host.
  /// - Throws: `TensorError.dtype` for other formats, or the device's error.
  package func withFloats<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) throws -> Result {
    guard dtype == .f32 else { throw TensorError.dtype(operation: "withFloats", expected: "f32", found: dtype) }
    return try withBytes { try body($0.assumingMemoryBound(to: Float.self)) }
  }

  /// The elements of an i32 or i64 tensor.
  /// - Throws: `TensorError.dtype` for any other format.
  public func readIntegers() throws -> [Int] {
    try withBytes { bytes in
      switch dtype {
      case .i32: return bytes.assumingMemoryBound(to: Int32.self).map { Int($0) }
      case .i64: return bytes.assumingMemoryBound(to: Int64.self).map { Int($0) }
      default: throw TensorError.dtype(operation: "read", expected: "i32 or i64", found: dtype)
      }
    }
  }

  /// The stored bytes, copied to the host.
  /// - Throws: the device's error.
  public func bytes() throws -> [UInt8] {
    var copy = [UInt8](repeating: 0, count: byteCount)
    try copy.withUnsafeMutableBytes { try storage.copy(from: byteOffset, to: $0) }
    return copy
  }

  /// The stored bytes for the length of `body`: in place where they are on the host and aligned for their elements, a
  /// copy otherwise.
  private func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    let alignment = dtype.isQuantised ? 1 : dtype.bytesPerBlock
    if let bytes = hostBytes, UInt(bitPattern: bytes.baseAddress) % UInt(alignment) == 0 {
      return try withExtendedLifetime(storage) { try body(bytes) }
    }
    return try bytes().withUnsafeBytes(body)
  }

  /// The bytes in place when they are on the host.
  package var hostBytes: UnsafeRawBufferPointer? {
    guard let host = storage as? HostStorage else { return nil }
    return UnsafeRawBufferPointer(rebasing: host.bytes[byteOffset..<byteOffset + byteCount])
  }
}

extension Float {
  /// Widens IEEE half-precision bits without the Float16 type, which Intel Macs lack.
  package init(halfBits bits: UInt16) {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1F
    let fraction = UInt32(bits & 0x3FF)
    switch exponent {
    case 0:  // zero and subnormals: fraction · 2⁻²⁴
      let magnitude = Float(fraction) * 0x1p-24
      self = sign == 0 ? magnitude : -magnitude
    case 0x1F: self = Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
    default: self = Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
