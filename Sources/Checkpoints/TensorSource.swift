public import Tensors

/// Named tensors read from one or several files.
///
/// ```swift
/// let source: any TensorSource = try SafetensorsCheckpoint(folder)
/// let weight = try source.tensor("model.embed_tokens.weight")
/// ```
public protocol TensorSource: Sendable {
  /// Names of all tensors, sorted.
  var names: [String] { get }
  /// Whether a tensor `name` is there.
  func contains(_ name: String) -> Bool
  /// The file that holds a tensor, as it appears in errors.
  /// - Throws: `CheckpointError.missingTensor`.
  func path(of name: String) throws -> String
  /// What the source says of a tensor, without touching its elements.
  /// - Throws: `CheckpointError.missingTensor`.
  func info(_ name: String) throws -> TensorInfo
  /// A tensor in host memory: a view of the mapped file wherever it is stored plainly and aligned for its elements, so
  /// that only the pages in use are read; an owned copy otherwise.
  /// - Throws: `CheckpointError`: missing, stored in an element type not read here, damaged, or out of memory.
  func tensor(_ name: String) throws -> Tensor
}

/// Shape and element type of a stored tensor.
public struct TensorInfo: Equatable, Sendable {
  /// Lengths of the axes, outermost first (row-major).
  public let shape: [Int]
  /// The element type as the file names it.
  public let typeName: String
  /// The element type as read here, or nil where it is not.
  public let dtype: DType?
  /// Bytes the elements take when unpacked.
  public let byteCount: Int

  package init(shape: [Int], typeName: String, dtype: DType?, byteCount: Int) {
    self.shape = shape
    self.typeName = typeName
    self.dtype = dtype
    self.byteCount = byteCount
  }
}

extension TensorInfo {
  /// Elements of a shape, or nil when a length is negative or the product overflows.
  ///
  /// Lengths of zero count as one while checking, so that no later product of some of the axes can overflow either.
  package static func elementCount(_ shape: [Int]) -> Int? {
    var product = 1
    for length in shape {
      guard length >= 0 else { return nil }
      let (next, overflow) = product.multipliedReportingOverflow(by: max(length, 1))
      guard !overflow else { return nil }
      product = next
    }
    return shape.contains(0) ? 0 : product
  }

  /// Bytes of `elements` elements stored in blocks, or nil when they are no whole number of blocks or overflow.
  package static func byteCount(elements: Int, blockSize: Int, bytesPerBlock: Int) -> Int? {
    guard elements >= 0, elements % blockSize == 0 else { return nil }
    let (bytes, overflow) = (elements / blockSize).multipliedReportingOverflow(by: bytesPerBlock)
    return overflow ? nil : bytes
  }
}
