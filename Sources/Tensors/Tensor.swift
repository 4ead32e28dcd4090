/// A dense, row-major, read-only array that lives on some backend.
///
/// A tensor is a handle: its elements reach the host only through `read()` and its siblings. The last axis is
/// contiguous; quantised formats hold whole blocks along it.
public struct Tensor: Sendable {
  /// Lengths of the axes, outermost first. A scalar has none.
  public let shape: [Int]
  /// How the elements are stored.
  public let dtype: DType
  package let storage: any TensorStorage
  /// Where the first element starts in the storage, in bytes.
  package let byteOffset: Int
  /// `i8` tensors may carry one fp32 scale for each row (the first axis): the compact dictionary form.
  package let rowScale: (any TensorStorage)?

  /// A view of `storage`.
  /// - Throws: `TensorError.shape` when the shape is negative, overflows, splits a block, or reaches past the storage,
  ///   or when row scales are fewer than the rows; `TensorError.dtype` for row scales of elements other than int8.
  package init(
    storage: any TensorStorage, byteOffset: Int = 0, shape: [Int], dtype: DType, rowScale: (any TensorStorage)? = nil
  ) throws {
    guard let bytes = Self.byteCount(shape: shape, dtype: dtype), byteOffset >= 0,
      byteOffset <= storage.byteCount, bytes <= storage.byteCount - byteOffset
    else {
      throw TensorError.shape(
        operation: "tensor", expected: "a shape within \(storage.byteCount - byteOffset) bytes",
        found: "\(dtype) \(shape)")
    }
    if let rowScale {
      guard dtype == .i8 else {
        throw TensorError.dtype(operation: "tensor with row scales", expected: "int8", found: dtype)
      }
      let rows = shape.first ?? 1
      guard rowScale.byteCount / MemoryLayout<Float>.size >= rows else {
        throw TensorError.shape(
          operation: "tensor with row scales", expected: "\(rows) scales for shape \(shape)",
          found: "\(rowScale.byteCount) bytes")
      }
    }
    self.shape = shape
    self.dtype = dtype
    self.storage = storage
    self.byteOffset = byteOffset
    self.rowScale = rowScale
  }

  /// Number of elements.
  public var count: Int { shape.reduce(1, *) }
  /// Bytes that the elements take.
  public var byteCount: Int { Self.byteCount(shape: shape, dtype: dtype) ?? 0 }
  /// Length of the first axis (1 for a scalar).
  public var rows: Int { shape.first ?? 1 }
  /// Elements in one row: the product of all axes but the first.
  public var rowLength: Int { shape.dropFirst().reduce(1, *) }

  /// Bytes of a tensor, or nil when the shape is negative, overflows, or splits a block of the last axis.
  ///
  /// Lengths of zero count as one while checking, so that no later product of some of the axes can overflow either.
  package static func byteCount(shape: [Int], dtype: DType) -> Int? {
    var product = 1
    for length in shape {
      let (next, overflow) = product.multipliedReportingOverflow(by: max(length, 1))
      guard length >= 0, !overflow else { return nil }
      product = next
    }
    guard !product.multipliedReportingOverflow(by: dtype.bytesPerBlock).overflow else { return nil }
    if dtype.isQuantised { guard let last = shape.last, last % dtype.blockSize == 0 else { return nil } }
    return dtype.byteCount(elements: shape.contains(0) ? 0 : product)
  }

  /// Rows `range` of the first axis, sharing this tensor's memory.
  /// - Throws: `TensorError.outOfRange`, or `TensorError.shape` for a scalar.
  public func rows(_ range: Range<Int>) throws -> Tensor {
    guard !shape.isEmpty else { throw TensorError.shape(operation: "rows", expected: "an axis", found: "a scalar") }
    guard range.lowerBound >= 0, range.upperBound <= shape[0] else {
      throw TensorError.outOfRange(operation: "rows", value: range.upperBound, limit: shape[0] + 1)
    }
    guard rowScale == nil || range == 0..<shape[0] else {
      throw TensorError.shape(operation: "rows", expected: "a tensor without row scales", found: "\(dtype) \(shape)")
    }
    let rowBytes = shape[0] == 0 ? 0 : byteCount / shape[0]
    return try Tensor(
      storage: storage, byteOffset: byteOffset + range.lowerBound * rowBytes, shape: [range.count] + shape.dropFirst(),
      dtype: dtype, rowScale: rowScale)
  }

  /// The same elements under another shape of equal count.
  /// - Throws: `TensorError.shape`, also when row scales would no longer stand for the rows they were made for.
  public func reshaped(_ newShape: [Int]) throws -> Tensor {
    guard Self.byteCount(shape: newShape, dtype: dtype) == byteCount, newShape.reduce(1, *) == count else {
      throw TensorError.shape(operation: "reshape", expected: "\(count) elements", found: "\(newShape)")
    }
    guard rowScale == nil || (newShape.first ?? 1) == rows else {
      throw TensorError.shape(operation: "reshape", expected: "\(rows) rows, each with its scale", found: "\(newShape)")
    }
    return try Tensor(storage: storage, byteOffset: byteOffset, shape: newShape, dtype: dtype, rowScale: rowScale)
  }
}

extension Tensor: CustomStringConvertible {
  public var description: String { "\(dtype) \(shape)" }
}
