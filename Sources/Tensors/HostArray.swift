import Foundation

/// Host memory that its owner changes in place: parameters and optimiser state in training, scratch between steps.
/// Zero at first, aligned to a cache line. Not `Sendable`.
package final class HostArray<Element: BitwiseCopyable> {
  package let count: Int
  package let pointer: UnsafeMutablePointer<Element>
  private let storage: HostStorage

  /// - Throws: `TensorError.outOfMemory`.
  package init(_ count: Int) throws {
    let stride = MemoryLayout<Element>.stride
    let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: stride)
    guard !overflow else { throw TensorError.outOfMemory(bytes: .max) }
    storage = try HostStorage(byteCount: bytes)
    guard let base = storage.bytes.baseAddress else { throw TensorError.outOfMemory(bytes: bytes) }
    memset(base, 0, bytes)
    pointer = base.bindMemory(to: Element.self, capacity: max(count, 1))
    self.count = max(count, 0)
  }

  package var buffer: UnsafeMutableBufferPointer<Element> { UnsafeMutableBufferPointer(start: pointer, count: count) }
  package var array: [Element] { Array(buffer) }

  package subscript(index: Int) -> Element {
    get { buffer[index] }
    set { buffer[index] = newValue }
  }

  package func fill(_ value: Element) { buffer.update(repeating: value) }

  /// A tensor over this very memory: valid until the array is next changed.
  /// - Throws: `TensorError.shape`.
  package func view(_ shape: [Int], dtype: DType) throws -> Tensor {
    try Tensor(storage: storage, shape: shape, dtype: dtype)
  }
}
