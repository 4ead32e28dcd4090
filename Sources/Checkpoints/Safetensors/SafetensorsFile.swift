public import Foundation
public import Tensors

/// A safetensors file, mapped: opening reads the header alone, and rows of a tensor are read when they are touched.
///
/// ```swift
/// let file = try SafetensorsFile(url)
/// let decoder = try file.tensor("w_dec").rows(100..<200)
/// ```
public struct SafetensorsFile: TensorSource {
  /// The file's path, as it appears in errors.
  public let path: String
  public let names: [String]
  /// Free text that the writer left under `__metadata__`.
  public let metadata: [String: String]

  private let storage: HostStorage
  private let entries: [String: SafetensorsHeader.Entry]
  private let dataStart: Int

  /// Opens and checks the header of `url`.
  /// - Throws: `CheckpointError`.
  public init(_ url: URL) throws { try self.init(storage: .mapped(url), path: url.path) }

  /// Reads a file whose bytes are in `storage`; `path` names it in errors.
  package init(storage: HostStorage, path: String) throws {
    let header = try withExtendedLifetime(storage) {
      try SafetensorsHeader(UnsafeRawBufferPointer(storage.bytes), file: path)
    }
    self.path = path
    self.storage = storage
    metadata = header.metadata
    entries = header.entries
    dataStart = header.dataStart
    names = header.entries.keys.sorted()
  }

  public func path(of name: String) throws -> String {
    _ = try entry(name)
    return path
  }

  public func contains(_ name: String) -> Bool { entries[name] != nil }

  public func info(_ name: String) throws -> TensorInfo {
    let entry = try entry(name)
    return TensorInfo(
      shape: entry.shape, typeName: entry.type.rawValue, dtype: entry.type.dtype, byteCount: entry.range.count)
  }

  public func tensor(_ name: String) throws -> Tensor {
    let entry = try entry(name)
    guard let dtype = entry.type.dtype else {
      throw CheckpointError.unsupported(
        file: path, tensor: name, found: "dtype \(entry.type.rawValue)",
        expected: "F64, F32, BF16, F16, I8, I32 or I64")
    }
    return try storage.tensor(
      at: dataStart + entry.range.lowerBound, shape: entry.shape, dtype: dtype, file: path, name: name)
  }

  private func entry(_ name: String) throws -> SafetensorsHeader.Entry {
    guard let entry = entries[name] else { throw CheckpointError.missingTensor(file: path, tensor: name) }
    return entry
  }
}
