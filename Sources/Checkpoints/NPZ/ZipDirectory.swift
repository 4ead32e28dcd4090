/// The table of contents of a zip file (PKWARE APPNOTE 6.3), with the 64-bit fields that NumPy writes.
struct ZipDirectory {
  struct Entry {
    let name: String
    let isDeflated: Bool
    /// The packed bytes within the file.
    let packed: Range<Int>
    /// Bytes once unpacked.
    let byteCount: Int
    let crc: UInt32
  }

  /// What is wrong with the bytes, for the file's reader to put its name to.
  struct Fault: Error {
    let reason: String
  }

  private(set) var entries: [Entry] = []
  private let bytes: UnsafeRawBufferPointer

  /// Deflate cannot pack better than this, so a larger claim is a lie.
  private static let maximumRatio = 1032

  init(_ bytes: UnsafeRawBufferPointer) throws {
    self.bytes = bytes
    do {
      let directory = try findDirectory()
      var reader = ByteReader(bytes.slice(0..<directory.range.upperBound), at: directory.range.lowerBound)
      guard directory.count <= UInt64(reader.remaining / 46) else {
        throw Fault(reason: "\(directory.count) zip entries announced, \(reader.remaining) bytes of directory")
      }
      var starts: [(start: Int, end: Int, name: String)] = []
      var names: Set<String> = []
      for _ in 0..<Int(directory.count) {
        let (entry, start) = try readEntry(&reader, limit: directory.range.lowerBound)
        guard names.insert(entry.name).inserted else { throw Fault(reason: "zip entry '\(entry.name)' given twice") }
        starts.append((start, entry.packed.upperBound, entry.name))
        entries.append(entry)
      }
      try Self.checkOverlap(starts)
    } catch let end as ByteReader.EndOfBytes {
      throw Fault(reason: "\(end.wanted) bytes expected at byte \(end.offset) of the zip directory")
    }
  }

  /// The directory's place and its number of entries, from the record at the file's end.
  private func findDirectory() throws -> (range: Range<Int>, count: UInt64) {
    let end = try findEndRecord()
    var reader = ByteReader(bytes, at: end + 4)
    let disks = (try reader.integer(UInt16.self), try reader.integer(UInt16.self))
    let countHere = try reader.integer(UInt16.self)
    var count = UInt64(try reader.integer(UInt16.self))
    var size = UInt64(try reader.integer(UInt32.self))
    var start = UInt64(try reader.integer(UInt32.self))
    var limit = end
    if count == 0xFFFF || size == 0xFFFF_FFFF || start == 0xFFFF_FFFF, let record = try find64Record(before: end) {
      var reader = ByteReader(bytes, at: record + 16)
      let disks = (try reader.integer(UInt32.self), try reader.integer(UInt32.self))
      guard disks == (0, 0) else { throw Fault(reason: "zip file in several parts") }
      let countHere = try reader.integer(UInt64.self)
      count = try reader.integer(UInt64.self)
      guard countHere == count else { throw Fault(reason: "zip file in several parts") }
      size = try reader.integer(UInt64.self)
      start = try reader.integer(UInt64.self)
      limit = record
    } else {
      guard disks == (0, 0), UInt64(countHere) == count else { throw Fault(reason: "zip file in several parts") }
    }
    guard start <= UInt64(limit), size <= UInt64(limit) - start else {
      throw Fault(reason: "zip directory of \(size) bytes at \(start) reaches past byte \(limit)")
    }
    return (Int(start)..<Int(start + size), count)
  }

  /// The end record is found from the back: a comment of up to 65,535 bytes may follow it.
  private func findEndRecord() throws -> Int {
    var offset = bytes.count - 22
    while offset >= max(0, bytes.count - 22 - 0xFFFF) {
      if try signature(at: offset) == 0x0605_4B50 {
        var reader = ByteReader(bytes, at: offset + 20)
        if offset + 22 + Int(try reader.integer(UInt16.self)) == bytes.count { return offset }
      }
      offset -= 1
    }
    throw Fault(reason: "not a zip file: no end record")
  }

  private func find64Record(before end: Int) throws -> Int? {
    guard end >= 20, try signature(at: end - 20) == 0x0706_4B50 else { return nil }
    var reader = ByteReader(bytes, at: end - 20 + 8)
    let offset = try reader.integer(UInt64.self)
    guard offset <= UInt64(end - 20), try signature(at: Int(offset)) == 0x0606_4B50 else {
      throw Fault(reason: "no 64-bit end record at byte \(offset)")
    }
    return Int(offset)
  }

  private func signature(at offset: Int) throws -> UInt32 {
    var reader = ByteReader(bytes, at: offset)
    return try reader.integer()
  }

  /// Reads one entry of the directory and the header before its data; also returns where that header starts.
  private func readEntry(_ reader: inout ByteReader, limit: Int) throws -> (Entry, start: Int) {
    guard try reader.integer(UInt32.self) == 0x0201_4B50 else {
      throw Fault(reason: "no zip directory entry at byte \(reader.offset - 4)")
    }
    _ = try reader.skip(4)  // versions
    let flags = try reader.integer(UInt16.self)
    let method = try reader.integer(UInt16.self)
    _ = try reader.skip(4)  // time
    let crc = try reader.integer(UInt32.self)
    var packedCount = UInt64(try reader.integer(UInt32.self))
    var byteCount = UInt64(try reader.integer(UInt32.self))
    let nameCount = try reader.integer(UInt16.self)
    let extraCount = try reader.integer(UInt16.self)
    let commentCount = try reader.integer(UInt16.self)
    _ = try reader.skip(8)  // disk, attributes
    var start = UInt64(try reader.integer(UInt32.self))
    let nameRange = try reader.skip(UInt64(nameCount))
    guard let name = String(validating: bytes.slice(nameRange), as: UTF8.self) else {
      throw Fault(reason: "zip entry name at byte \(nameRange.lowerBound) is not UTF-8")
    }
    let extra = try reader.skip(UInt64(extraCount))
    _ = try reader.skip(UInt64(commentCount))
    try read64(extra, &byteCount, &packedCount, &start)

    guard flags & 1 == 0 else { throw Fault(reason: "zip entry '\(name)' is encrypted") }
    guard method == 0 || method == 8 else {
      throw Fault(reason: "zip entry '\(name)' is packed by method \(method), expected 0 (stored) or 8 (deflate)")
    }
    let dataStart = try readLocalHeader(at: start, name: nameRange, method: method, limit: limit)
    guard packedCount <= UInt64(limit - dataStart) else {
      throw Fault(reason: "zip entry '\(name)' of \(packedCount) bytes at \(dataStart) reaches past byte \(limit)")
    }
    let (most, overflow) = packedCount.multipliedReportingOverflow(by: method == 0 ? 1 : UInt64(Self.maximumRatio))
    guard overflow || byteCount <= most, method != 0 || byteCount == packedCount,
      let byteCount = Int(exactly: byteCount)
    else { throw Fault(reason: "zip entry '\(name)' of \(packedCount) bytes cannot unpack to \(byteCount)") }
    let packed = dataStart..<dataStart + Int(packedCount)
    return (Entry(name: name, isDeflated: method == 8, packed: packed, byteCount: byteCount, crc: crc), Int(start))
  }

  /// Sizes and offsets too large for 32 bits stand in extra field 1, in this order, each only where needed.
  private func read64(
    _ extra: Range<Int>, _ byteCount: inout UInt64, _ packedCount: inout UInt64, _ start: inout UInt64
  ) throws {
    var reader = ByteReader(bytes.slice(0..<extra.upperBound), at: extra.lowerBound)
    while reader.remaining >= 4 {
      let id = try reader.integer(UInt16.self)
      let field = try reader.skip(UInt64(try reader.integer(UInt16.self)))
      guard id == 1 else { continue }
      var values = ByteReader(bytes.slice(0..<field.upperBound), at: field.lowerBound)
      if byteCount == 0xFFFF_FFFF { byteCount = try values.integer() }
      if packedCount == 0xFFFF_FFFF { packedCount = try values.integer() }
      if start == 0xFFFF_FFFF { start = try values.integer() }
      return
    }
  }

  /// Checks the header before an entry's data against the directory and returns where the data starts.
  private func readLocalHeader(at start: UInt64, name: Range<Int>, method: UInt16, limit: Int) throws -> Int {
    guard start <= UInt64(limit) else { throw Fault(reason: "zip entry at byte \(start), past byte \(limit)") }
    var reader = ByteReader(bytes.slice(0..<limit), at: Int(start))
    guard try reader.integer(UInt32.self) == 0x0403_4B50 else {
      throw Fault(reason: "no zip entry at byte \(start)")
    }
    _ = try reader.skip(4)  // version, flags
    let localMethod = try reader.integer(UInt16.self)
    _ = try reader.skip(16)  // time, checksum and sizes, which the directory has too
    let nameCount = try reader.integer(UInt16.self)
    let extraCount = try reader.integer(UInt16.self)
    let localName = try reader.skip(UInt64(nameCount))
    _ = try reader.skip(UInt64(extraCount))
    guard localMethod == method, bytes.slice(localName).elementsEqual(bytes.slice(name)) else {
      throw Fault(reason: "the zip entry at byte \(start) differs from the directory's")
    }
    return reader.offset
  }

  /// Entries that share bytes are how a small file claims to be a huge one.
  private static func checkOverlap(_ extents: [(start: Int, end: Int, name: String)]) throws {
    var end = 0
    for extent in extents.sorted(by: { $0.start < $1.start }) {
      guard extent.start >= end else { throw Fault(reason: "zip entry '\(extent.name)' overlaps another") }
      end = extent.end
    }
  }
}
