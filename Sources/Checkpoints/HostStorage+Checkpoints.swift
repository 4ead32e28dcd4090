package import Foundation
package import Tensors

extension HostStorage {
  /// Maps `url`.
  /// - Throws: `CheckpointError.unreadable`.
  package static func mapped(_ url: URL) throws -> HostStorage {
    do {
      return HostStorage(mapping: try MappedFile(url))
    } catch TensorError.file(let path, let reason) {
      throw CheckpointError.unreadable(file: path, reason: reason)
    }
  }

  /// A copy of `bytes`, for readers that are handed bytes rather than a file.
  package static func copying(_ bytes: some Collection<UInt8>) throws -> HostStorage {
    let storage = try HostStorage(byteCount: bytes.count)
    storage.bytes.copyBytes(from: bytes)
    return storage
  }

  /// The tensor whose elements start at `offset`: in place when they are aligned there, copied otherwise.
  ///
  /// The caller has checked the shape and that the elements lie within the storage.
  package func tensor(at offset: Int, shape: [Int], dtype: DType, file: String, name: String) throws -> Tensor {
    guard let byteCount = Tensor.byteCount(shape: shape, dtype: dtype), offset >= 0, offset <= self.byteCount,
      byteCount <= self.byteCount - offset
    else { throw CheckpointError.invalidTensor(file: file, tensor: name, reason: "lies outside the file") }
    guard (UInt(bitPattern: bytes.baseAddress) &+ UInt(offset)) % UInt(dtype.alignment) != 0 else {
      return try Tensor(storage: self, byteOffset: offset, shape: shape, dtype: dtype)
    }
    let copy = try HostStorage.allocated(byteCount, file: file, name: name)
    self.copy(from: offset, to: copy.bytes)
    return try Tensor(storage: copy, shape: shape, dtype: dtype)
  }

  /// Memory for a copy of tensor `name`.
  /// - Throws: `CheckpointError.outOfMemory`.
  static func allocated(_ byteCount: Int, file: String, name: String) throws -> HostStorage {
    do {
      return try HostStorage(byteCount: byteCount)
    } catch TensorError.outOfMemory(let bytes) {
      throw CheckpointError.outOfMemory(file: file, tensor: name, bytes: bytes)
    }
  }
}

extension DType {
  /// Bytes that an element (of a block: its half-precision scales) must be aligned to.
  var alignment: Int { isQuantised ? 2 : bytesPerBlock }
}
