import Checkpoints

/// Puts .npz files together by hand, right or wrong.
struct ZipBytes {
  struct Entry {
    var name: String
    /// The bytes as packed by `method`.
    var packed: [UInt8]
    var byteCount: UInt64
    var crc: UInt32
    var method: UInt16 = 0
    var flags: UInt16 = 0
    /// What the local header says, when it differs.
    var localName: String?
    var localMethod: UInt16?
    var packedCount: UInt64?
    /// Where the directory says the local header is, when it differs.
    var start: UInt64?
    /// Whether sizes and offset stand in the 64-bit extra field.
    var is64 = false

    init(_ name: String, stored: [UInt8]) {
      self.name = name
      packed = stored
      byteCount = UInt64(stored.count)
      crc = stored.withUnsafeBytes { CRC32.of($0) }
    }

    init(_ name: String, packed: [UInt8], unpacked: [UInt8]) {
      self.init(name, stored: unpacked)
      self.packed = packed
      method = 8
    }
  }

  var entries: [Entry] = []
  var comment = ""
  var entryCount: UInt64?
  var directoryCount: UInt64?
  var directoryStart: UInt64?
  var disk: UInt16 = 0
  /// Whether the 64-bit end record is written, and where its locator points when that is wrong.
  var is64 = false
  var record64: UInt64?

  /// An .npy file.
  static func npy(_ header: String, version: (UInt8, UInt8) = (1, 0), length: Int? = nil, _ data: [UInt8]) -> [UInt8] {
    var bytes = Bytes()
    bytes.add([0x93])
    bytes.add("NUMPY")
    bytes.add([version.0, version.1])
    let length = length ?? header.utf8.count
    if version.0 == 1 { bytes.add(UInt16(length)) } else { bytes.add(UInt32(length)) }
    bytes.add(header)
    bytes.add(data)
    return bytes.all
  }

  static func npy(_ descr: String, _ shape: String, order: String = "False", _ data: [UInt8]) -> [UInt8] {
    npy("{'descr': '\(descr)', 'fortran_order': \(order), 'shape': \(shape), }\n", data)
  }

  var all: [UInt8] {
    var bytes = Bytes()
    var starts: [UInt64] = []
    for entry in entries {
      starts.append(UInt64(bytes.all.count))
      bytes.add("PK\u{3}\u{4}")
      bytes.add(UInt16(45))
      bytes.add(entry.flags)
      bytes.add(entry.localMethod ?? entry.method)
      bytes.add(UInt32(0))
      bytes.add(entry.crc)
      bytes.add(UInt64.max)  // sizes, as NumPy leaves them to the extra field
      let name = entry.localName ?? entry.name
      bytes.add(UInt16(name.utf8.count))
      bytes.add(UInt16(20))
      bytes.add(name)
      bytes.add(UInt16(1))
      bytes.add(UInt16(16))
      bytes.add(entry.byteCount)
      bytes.add(UInt64(entry.packed.count))
      bytes.add(entry.packed)
    }
    let directory = bytes.all.count
    for (entry, start) in zip(entries, starts) {
      let start = entry.start ?? start
      let packedCount = entry.packedCount ?? UInt64(entry.packed.count)
      bytes.add("PK\u{1}\u{2}")
      bytes.add(UInt32(45 | 45 << 16))
      bytes.add(entry.flags)
      bytes.add(entry.method)
      bytes.add(UInt32(0))
      bytes.add(entry.crc)
      bytes.add(entry.is64 ? .max : UInt32(truncatingIfNeeded: packedCount))
      bytes.add(entry.is64 ? .max : UInt32(truncatingIfNeeded: entry.byteCount))
      bytes.add(UInt16(entry.name.utf8.count))
      bytes.add(UInt16(entry.is64 ? 5 + 28 : 5))
      bytes.add(UInt16(0))
      bytes.add(UInt64(0))
      bytes.add(entry.is64 ? .max : UInt32(truncatingIfNeeded: start))
      bytes.add(entry.name)
      // Some other field first.
      bytes.add(UInt16(0x5455))
      bytes.add(UInt16(1))
      bytes.add([7])
      guard entry.is64 else { continue }
      bytes.add(UInt16(1))
      bytes.add(UInt16(24))
      bytes.add(entry.byteCount)
      bytes.add(packedCount)
      bytes.add(start)
    }
    let count = entryCount ?? UInt64(entries.count)
    let size = directoryCount ?? UInt64(bytes.all.count - directory)
    let start = directoryStart ?? UInt64(directory)
    if is64 {
      let record = bytes.all.count
      bytes.add("PK\u{6}\u{6}")
      bytes.add(UInt64(44))
      bytes.add(UInt32(45 | 45 << 16))
      bytes.add(UInt32(disk))
      bytes.add(UInt32(0))
      for value in [count, count, size, start] { bytes.add(value) }
      bytes.add("PK\u{6}\u{7}")
      bytes.add(UInt32(0))
      bytes.add(record64 ?? UInt64(record))
      bytes.add(UInt32(1))
    }
    bytes.add("PK\u{5}\u{6}")
    bytes.add(disk)
    bytes.add(UInt16(0))
    bytes.add(is64 ? .max : UInt16(truncatingIfNeeded: count))
    bytes.add(is64 ? .max : UInt16(truncatingIfNeeded: count))
    bytes.add(is64 ? .max : UInt32(truncatingIfNeeded: size))
    bytes.add(is64 ? .max : UInt32(truncatingIfNeeded: start))
    bytes.add(UInt16(comment.utf8.count))
    bytes.add(comment)
    return bytes.all
  }
}
