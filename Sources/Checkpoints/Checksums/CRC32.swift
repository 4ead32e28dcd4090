import CZlib

/// The checksum of zip and gzip files, by zlib.
package struct CRC32 {
  /// The checksum of everything added.
  package private(set) var value: UInt32 = 0

  package init() {}

  package mutating func add(_ bytes: UnsafeRawBufferPointer) {
    // zlib takes a null pointer for a wish to begin anew.
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
    value = UInt32(truncatingIfNeeded: crc32_z(UInt(value), start.assumingMemoryBound(to: UInt8.self), bytes.count))
  }

  /// The checksum of `bytes`.
  package static func of(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var crc = CRC32()
    crc.add(bytes)
    return crc.value
  }
}
