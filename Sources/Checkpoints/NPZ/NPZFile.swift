public import Foundation
public import Tensors

/// A NumPy archive (`np.savez`, `np.savez_compressed`), mapped: arrays stored plainly are used where they lie, deflated
/// ones are unpacked when asked for.
///
/// Read are little-endian f8, f4, f2, i8, i4 and i1; other element types are listed only. Every `tensor(_:)` checks the
/// array's checksum, which reads all of it once; `tensor(_:verifying:)` can leave that out.
public struct NPZFile: TensorSource {
  private struct Entry {
    let zip: ZipDirectory.Entry
    let header: NPYHeader
  }

  /// The file's path, as it appears in errors.
  public let path: String
  public let names: [String]

  private let storage: HostStorage
  private let entries: [String: Entry]

  /// Opens `url` and reads the headers of its arrays.
  /// - Throws: `CheckpointError`.
  public init(_ url: URL) throws { try self.init(storage: .mapped(url), path: url.path) }

  /// Reads a file whose bytes are in `storage`; `path` names it in errors.
  package init(storage: HostStorage, path: String) throws {
    self.path = path
    self.storage = storage
    var entries: [String: Entry] = [:]
    try withExtendedLifetime(storage) {
      let bytes = UnsafeRawBufferPointer(storage.bytes)
      do {
        for zip in try ZipDirectory(bytes).entries where zip.name.hasSuffix(".npy") {
          let name = String(zip.name.dropLast(4))
          entries[name] = Entry(zip: zip, header: try Self.readHeader(zip, in: bytes, file: path, name: name))
        }
      } catch let fault as ZipDirectory.Fault {
        throw CheckpointError.malformed(file: path, reason: fault.reason)
      }
    }
    self.entries = entries
    names = entries.keys.sorted()
  }

  public func path(of name: String) throws -> String {
    _ = try entry(name)
    return path
  }

  public func contains(_ name: String) -> Bool { entries[name] != nil }

  public func info(_ name: String) throws -> TensorInfo {
    let entry = try entry(name)
    return TensorInfo(
      shape: entry.header.shape, typeName: entry.header.descr, dtype: entry.header.dtype,
      byteCount: entry.zip.byteCount - entry.header.dataStart)
  }

  public func tensor(_ name: String) throws -> Tensor { try tensor(name, verifying: true) }

  /// A tensor, as `tensor(_:)`, its checksum checked only if `verifying`.
  /// - Throws: `CheckpointError`.
  public func tensor(_ name: String, verifying: Bool) throws -> Tensor {
    let entry = try entry(name)
    guard let dtype = entry.header.dtype else {
      throw CheckpointError.unsupported(
        file: path, tensor: name, found: "NumPy type '\(entry.header.descr)'",
        expected: "<f8, <f4, <f2, <i8, <i4 or |i1")
    }
    let (unpacked, start) = try unpack(entry.zip, name: name)
    if verifying {
      let crc = withExtendedLifetime(unpacked) {
        CRC32.of(UnsafeRawBufferPointer(unpacked.bytes).slice(start..<start + entry.zip.byteCount))
      }
      guard crc == entry.zip.crc else {
        throw CheckpointError.invalidTensor(file: path, tensor: name, reason: "damaged: its checksum does not match")
      }
    }
    let stored = try unpacked.tensor(
      at: start + entry.header.dataStart, shape: entry.header.shape, dtype: dtype, file: path, name: name)
    return entry.header.isRowMajor ? stored : try Self.rowMajor(stored, file: path, name: name)
  }

  private func entry(_ name: String) throws -> Entry {
    guard let entry = entries[name] else { throw CheckpointError.missingTensor(file: path, tensor: name) }
    return entry
  }

  /// Memory that holds an entry unpacked, and where it starts there.
  private func unpack(_ zip: ZipDirectory.Entry, name: String) throws -> (HostStorage, start: Int) {
    guard zip.isDeflated else { return (storage, zip.packed.lowerBound) }
    let copy = try HostStorage.allocated(zip.byteCount, file: path, name: name)
    try withExtendedLifetime(storage) {
      do {
        try Inflate.decode(UnsafeRawBufferPointer(storage.bytes).slice(zip.packed), into: copy.bytes)
      } catch {
        throw CheckpointError.invalidTensor(file: path, tensor: name, reason: "broken deflate stream: \(error)")
      }
    }
    return (copy, 0)
  }

  private static func readHeader(
    _ zip: ZipDirectory.Entry, in bytes: UnsafeRawBufferPointer, file: String, name: String
  ) throws -> NPYHeader {
    func invalid(_ reason: String) -> CheckpointError { .invalidTensor(file: file, tensor: name, reason: reason) }
    let header: NPYHeader
    do {
      let packed = bytes.slice(zip.packed)
      if zip.isDeflated {
        var start = [UInt8](repeating: 0, count: min(zip.byteCount, NPYHeader.maximumByteCount))
        try start.withUnsafeMutableBytes { try Inflate.decode(packed, into: $0, prefixOnly: true) }
        header = try start.withUnsafeBytes { try NPYHeader($0) }
      } else {
        header = try NPYHeader(packed)
      }
    } catch let fault as NPYHeader.Fault {
      throw invalid(fault.reason)
    } catch let fault as Inflate.Fault {
      throw invalid("broken deflate stream: \(fault)")
    }
    guard let elements = TensorInfo.elementCount(header.shape) else {
      throw invalid("impossible shape \(header.shape)")
    }
    if let dtype = header.dtype {
      guard let expected = dtype.byteCount(elements: elements), zip.byteCount - header.dataStart == expected else {
        throw invalid("\(zip.byteCount - header.dataStart) bytes do not fit \(header.descr) \(header.shape)")
      }
    }
    return header
  }

  /// A copy of a column-major array in row-major order.
  private static func rowMajor(_ tensor: Tensor, file: String, name: String) throws -> Tensor {
    let copy = try HostStorage.allocated(tensor.byteCount, file: file, name: name)
    guard let source = tensor.hostBytes else { return tensor }
    withExtendedLifetime(tensor.storage) {
      switch tensor.dtype.bytesPerBlock {
      case 8: transpose(source.bindMemory(to: UInt64.self), to: copy.bytes.bindMemory(to: UInt64.self), tensor.shape)
      case 4: transpose(source.bindMemory(to: UInt32.self), to: copy.bytes.bindMemory(to: UInt32.self), tensor.shape)
      case 2: transpose(source.bindMemory(to: UInt16.self), to: copy.bytes.bindMemory(to: UInt16.self), tensor.shape)
      default: transpose(source.bindMemory(to: UInt8.self), to: copy.bytes.bindMemory(to: UInt8.self), tensor.shape)
      }
    }
    return try Tensor(storage: copy, shape: tensor.shape, dtype: tensor.dtype)
  }

  /// `shape` has elements and no axis of length 0.
  private static func transpose<Element>(
    _ source: UnsafeBufferPointer<Element>, to destination: UnsafeMutableBufferPointer<Element>, _ shape: [Int]
  ) {
    // Column-major: the first axis is contiguous.
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropFirst() { strides[axis] = strides[axis - 1] * shape[axis - 1] }
    var index = [Int](repeating: 0, count: shape.count)
    var from = 0
    for to in destination.indices {
      destination[to] = source[from]
      for axis in shape.indices.reversed() {
        index[axis] += 1
        from += strides[axis]
        if index[axis] < shape[axis] { break }
        from -= strides[axis] * shape[axis]
        index[axis] = 0
      }
    }
  }
}
