public import Foundation
public import Tensors

/// Writes a safetensors file whose tensors may be produced piece by piece and in any order, without holding one whole.
/// The file appears under its name only when `finish()` has found every byte written.
///
/// ```swift
/// let writer = try SafetensorsWriter(url, layout: [.init("w_dec", shape: [16384, 640], dtype: .f32)])
/// for (row, values) in rows { try writer.write(values, to: "w_dec", at: row * 640 * 4) }
/// try writer.finish()
/// ```
///
/// Laid out as the reference implementation does: widest elements first, then by name, the header padded to 8 bytes, so
/// that every tensor is aligned in the mapped file and equal contents give equal files.
public final class SafetensorsWriter {
  /// A tensor to come.
  public struct Entry: Sendable {
    /// Its key in the file.
    public let name: String
    /// Lengths of the axes, outermost first.
    public let shape: [Int]
    /// How its elements are stored.
    public let dtype: DType

    /// A tensor `name` of the given shape and element type; the writer refuses those the format lacks.
    public init(_ name: String, shape: [Int], dtype: DType) {
      self.name = name
      self.shape = shape
      self.dtype = dtype
    }
  }

  private let file: AtomicFile
  private let dataStart: Int
  /// Where each tensor lies in the data section, and how much of it is written.
  private let ranges: [String: Range<Int>]
  private var written: [String: Int] = [:]

  /// Starts the file.
  /// - Throws: `CheckpointError`: a name given twice, an element type the format lacks, an impossible shape, or a disk
  ///   that cannot be written or lacks room.
  public init(_ url: URL, layout: [Entry], metadata: [String: String] = [:]) throws {
    let layout = try SafetensorsLayout(layout, metadata: metadata, file: url.path)
    ranges = layout.ranges
    dataStart = layout.header.count
    file = try AtomicFile(url, byteCount: layout.byteCount)
    try layout.header.withUnsafeBytes { try file.write($0, at: 0) }
  }

  /// Writes all elements of tensor `name`.
  /// - Throws: `CheckpointError` when it was not announced with this shape and type, or cannot be written; the device's
  ///   error when it cannot be read.
  public func write(_ tensor: Tensor, to name: String) throws {
    guard tensor.rowScale == nil else {
      throw CheckpointError.unsupported(
        file: file.url.path, tensor: name, found: "\(tensor) with row scales",
        expected: "the scales as a tensor of their own")
    }
    guard try range(name).count == tensor.byteCount else {
      throw CheckpointError.invalidTensor(
        file: file.url.path, tensor: name, reason: "\(tensor) differs from what was announced")
    }
    if let bytes = tensor.hostBytes {
      return try withExtendedLifetime(tensor.storage) { try write(bytes, to: name, at: 0) }
    }
    var piece = [UInt8](repeating: 0, count: min(tensor.byteCount, 4 << 20))
    var offset = 0
    while offset < tensor.byteCount {
      let count = min(piece.count, tensor.byteCount - offset)
      try piece.withUnsafeMutableBytes { buffer in
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        try tensor.storage.copy(from: tensor.byteOffset + offset, to: part)
        try write(UnsafeRawBufferPointer(part), to: name, at: offset)
      }
      offset += count
    }
  }

  /// Writes bytes of tensor `name`, `offset` bytes from its start. Each byte of a tensor is to be written once.
  /// - Throws: `CheckpointError` when the tensor was not announced, the bytes reach past it, or cannot be written.
  public func write(_ bytes: UnsafeRawBufferPointer, to name: String, at offset: Int) throws {
    let range = try range(name)
    guard offset >= 0, offset <= range.count, bytes.count <= range.count - offset else {
      throw CheckpointError.invalidTensor(
        file: file.url.path, tensor: name,
        reason: "\(bytes.count) bytes at \(offset) reach past its \(range.count) bytes")
    }
    try file.write(bytes, at: dataStart + range.lowerBound + offset)
    written[name, default: 0] += bytes.count
  }

  /// Puts the file in place.
  /// - Throws: `CheckpointError` when a tensor is not fully written or the file cannot be synced.
  public func finish() throws {
    for (name, range) in ranges where written[name, default: 0] != range.count {
      throw CheckpointError.invalidTensor(
        file: file.url.path, tensor: name, reason: "\(written[name, default: 0]) of \(range.count) bytes written")
    }
    try file.commit()
  }

  /// Writes `tensors` to `url` in one go, streamed from where they are.
  /// - Throws: `CheckpointError`; the device's error when a tensor cannot be read.
  public static func write(_ tensors: [String: Tensor], metadata: [String: String] = [:], to url: URL) throws {
    let layout = tensors.map { Entry($0.key, shape: $0.value.shape, dtype: $0.value.dtype) }
    let writer = try SafetensorsWriter(url, layout: layout, metadata: metadata)
    for (name, tensor) in tensors { try writer.write(tensor, to: name) }
    try writer.finish()
  }

  /// The bytes of a file of tensors in the host's memory; `file` names it in errors.
  /// - Throws: `CheckpointError`.
  package static func bytes(
    of tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:], file: String
  ) throws -> [UInt8] {
    let entries = tensors.map { Entry($0.name, shape: $0.tensor.shape, dtype: $0.tensor.dtype) }
    let layout = try SafetensorsLayout(entries, metadata: metadata, file: file)
    var bytes = layout.header + [UInt8](repeating: 0, count: layout.byteCount - layout.header.count)
    for (name, tensor) in tensors {
      guard let range = layout.ranges[name] else { throw CheckpointError.missingTensor(file: file, tensor: name) }
      let start = layout.header.count + range.lowerBound
      try bytes.withUnsafeMutableBytes {
        let place = UnsafeMutableRawBufferPointer(rebasing: $0[start..<start + range.count])
        try tensor.storage.copy(from: tensor.byteOffset, to: place)
      }
    }
    return bytes
  }

  private func range(_ name: String) throws -> Range<Int> {
    guard let range = ranges[name] else { throw CheckpointError.missingTensor(file: file.url.path, tensor: name) }
    return range
  }
}
