/// A cursor over little-endian bytes that refuses to read past their end.
struct ByteReader {
  /// The bytes ended before what was expected.
  struct EndOfBytes: Error {
    let offset: Int
    let wanted: UInt64
  }

  let bytes: UnsafeRawBufferPointer
  private(set) var offset: Int

  /// `offset` must lie within `bytes`, which must outlive the reader.
  init(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) {
    self.bytes = bytes
    self.offset = offset
  }

  /// Bytes not read yet.
  var remaining: Int { bytes.count - offset }

  mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self) throws -> T {
    let size = MemoryLayout<T>.size
    guard size <= remaining else { throw EndOfBytes(offset: offset, wanted: UInt64(size)) }
    defer { offset += size }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  /// Passes over `count` bytes and returns where they lie.
  mutating func skip(_ count: UInt64) throws -> Range<Int> {
    guard let count = Int(exactly: count), count <= remaining else {
      throw EndOfBytes(offset: offset, wanted: count)
    }
    defer { offset += count }
    return offset..<offset + count
  }
}

extension UnsafeRawBufferPointer {
  /// The bytes of `range`, which must lie within the buffer.
  func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self[range]) }
}
