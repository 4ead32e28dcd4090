public import Foundation
public import Tensors

/// A GGUF file, mapped: metadata and the list of tensors are read when it is opened, elements when they are touched.
///
/// ```swift
/// let file = try GGUFFile(url)
/// let width = try file.integer("gemma3.embedding_length")
/// let embedding = try file.tensor("token_embd.weight")   // [vocabulary, width], in its stored block format
/// ```
///
/// Shapes are row-major (outermost axis first), the reverse of the file's own order. Read in place are F64, F32, F16,
/// BF16, I8, I32, I64, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K; other types are listed only.
public struct GGUFFile: TensorSource {
  /// The file's path, as it appears in errors.
  public let path: String
  /// Version of the format: 2 or 3.
  public let version: Int
  public let names: [String]
  /// Metadata keys, sorted.
  public let keys: [String]
  /// Tensors start at multiples of so many bytes.
  public let alignment: Int

  private let storage: HostStorage
  private let header: GGUFHeader

  /// Opens `url` and checks all of it but the tensors' elements.
  /// - Throws: `CheckpointError`.
  public init(_ url: URL) throws { try self.init(storage: .mapped(url), path: url.path) }

  /// Reads a file whose bytes are in `storage`; `path` names it in errors.
  package init(storage: HostStorage, path: String) throws {
    header = try withExtendedLifetime(storage) { try GGUFHeader(storage, file: path) }
    self.path = path
    self.storage = storage
    version = Int(header.version)
    names = header.entries.keys.sorted()
    keys = header.values.keys.sorted()
    alignment = header.alignment
  }

  public func path(of name: String) throws -> String {
    _ = try entry(name)
    return path
  }

  public func contains(_ name: String) -> Bool { header.entries[name] != nil }

  public func info(_ name: String) throws -> TensorInfo {
    let entry = try entry(name)
    return TensorInfo(
      shape: entry.shape, typeName: entry.type.name, dtype: entry.type.dtype, byteCount: entry.byteCount)
  }

  public func tensor(_ name: String) throws -> Tensor {
    let entry = try entry(name)
    guard let dtype = entry.type.dtype else {
      throw CheckpointError.unsupported(
        file: path, tensor: name, found: "ggml type \(entry.type.name)",
        expected: "F64, F32, F16, BF16, I8, I32, I64, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K")
    }
    return try storage.tensor(at: entry.start, shape: entry.shape, dtype: dtype, file: path, name: name)
  }

  private func entry(_ name: String) throws -> GGUFHeader.Entry {
    guard let entry = header.entries[name] else { throw CheckpointError.missingTensor(file: path, tensor: name) }
    return entry
  }

  /// The metadata value under `key`, or nil.
  public func value(_ key: String) -> GGUFValue? { header.values[key] }
}
