import Tensors

/// Everything of a GGUF file but its tensors' elements, checked against the file's size.
///
/// Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3 (which differ only in that 3
/// may be big-endian; such files are refused).
struct GGUFHeader {
  struct Entry {
    let type: GGMLType
    /// Row-major: the file lists the innermost axis first.
    let shape: [Int]
    let byteCount: Int
    /// Where the elements start in the file.
    var start: Int
  }

  let version: UInt32
  private(set) var values: [String: GGUFValue] = [:]
  private(set) var entries: [String: Entry] = [:]
  private(set) var alignment = 32

  private let file: String

  init(_ storage: HostStorage, file: String) throws {
    self.file = file
    var parser = GGUFValueParser(storage: storage, at: 0)
    do {
      guard try parser.reader.integer(UInt32.self) == 0x4655_4747 else {
        throw GGUFValueParser.Fault(reason: "does not start with 'GGUF'")
      }
      version = try parser.reader.integer(UInt32.self)
      guard version == 2 || version == 3 else {
        throw GGUFValueParser.Fault(
          reason: (1...3).contains(version.byteSwapped)
            ? "is big-endian, expected little-endian"
            : "GGUF version \(version), expected 2 or 3")
      }
      let tensorCount = try parser.reader.integer(UInt64.self)
      let valueCount = try parser.reader.integer(UInt64.self)
      try readValues(&parser, count: valueCount)
      try readAlignment()
      try readEntries(&parser, count: tensorCount)
      try placeEntries(headerEnd: parser.reader.offset, fileCount: storage.byteCount)
    } catch let fault as GGUFValueParser.Fault {
      throw CheckpointError.malformed(file: file, reason: fault.reason)
    } catch let end as ByteReader.EndOfBytes {
      throw CheckpointError.malformed(
        file: file, reason: "\(end.wanted) bytes expected at byte \(end.offset), the file has \(storage.byteCount)")
    }
  }

  /// A count can be checked before anything is done about it: an item takes at least so many bytes.
  private func check(_ count: UInt64, of what: String, minimumByteCount: Int, _ remaining: Int) throws {
    guard count <= UInt64(remaining / minimumByteCount) else {
      throw GGUFValueParser.Fault(reason: "\(count) \(what) announced, \(remaining) bytes are left")
    }
  }

  private mutating func readValues(_ parser: inout GGUFValueParser, count: UInt64) throws {
    // Name length, type and one byte of value.
    try check(count, of: "metadata values", minimumByteCount: 8 + 4 + 1, parser.reader.remaining)
    for _ in 0..<Int(count) {
      let key = try parser.string("metadata key")
      let type = try parser.reader.integer(UInt32.self)
      let value = try parser.value(type: type)
      guard values.updateValue(value, forKey: key) == nil else {
        throw GGUFValueParser.Fault(reason: "metadata key '\(key)' given twice")
      }
    }
  }

  private mutating func readAlignment() throws {
    guard let value = values["general.alignment"] else { return }
    guard case .unsigned(let number) = value, let bytes = Int(exactly: number), bytes > 0, bytes & (bytes - 1) == 0
    else {
      throw CheckpointError.wrongType(
        file: file, key: "general.alignment", expected: "an unsigned power of two", found: Self.describe(value))
    }
    alignment = bytes
  }

  private static func describe(_ value: GGUFValue) -> String {
    if case .unsigned(let number) = value { "\(number)" } else { value.kind }
  }

  private mutating func readEntries(_ parser: inout GGUFValueParser, count: UInt64) throws {
    // Name length, number of axes, type and offset.
    try check(count, of: "tensors", minimumByteCount: 8 + 4 + 4 + 8, parser.reader.remaining)
    for _ in 0..<Int(count) {
      let name = try parser.string("tensor name")
      let entry = try readEntry(name, &parser)
      guard entries.updateValue(entry, forKey: name) == nil else {
        throw CheckpointError.invalidTensor(file: file, tensor: name, reason: "given twice")
      }
    }
  }

  /// Reads one tensor's description; `start` is still counted from the data section.
  private func readEntry(_ name: String, _ parser: inout GGUFValueParser) throws -> Entry {
    func invalid(_ reason: String) -> CheckpointError { .invalidTensor(file: file, tensor: name, reason: reason) }
    let rank = try parser.reader.integer(UInt32.self)
    guard rank <= 4 else { throw invalid("\(rank) axes, expected at most 4") }
    var shape: [Int] = []
    for _ in 0..<rank {
      let length = try parser.reader.integer(UInt64.self)
      guard let length = Int(exactly: length) else { throw invalid("axis of length \(length)") }
      shape.append(length)
    }
    shape.reverse()
    let number = try parser.reader.integer(UInt32.self)
    guard let type = GGMLType(rawValue: number) else { throw invalid("unknown ggml type \(number)") }
    let offset = try parser.reader.integer(UInt64.self)
    guard let start = Int(exactly: offset) else { throw invalid("starts at byte \(offset) of the data") }
    let block = type.block
    guard (shape.last ?? 1) % block.size == 0 else {
      throw invalid("rows of \(shape.last ?? 1) elements, expected a multiple of \(block.size) for \(type.name)")
    }
    guard let elements = TensorInfo.elementCount(shape),
      let byteCount = TensorInfo.byteCount(elements: elements, blockSize: block.size, bytesPerBlock: block.bytes)
    else { throw invalid("impossible shape \(shape) of \(type.name)") }
    return Entry(type: type, shape: shape, byteCount: byteCount, start: start)
  }

  /// Checks that tensors lie within the file, aligned and apart from each other, and makes their starts the file's.
  private mutating func placeEntries(headerEnd: Int, fileCount: Int) throws {
    let (padded, overflow) = headerEnd.addingReportingOverflow(alignment - 1)
    let dataStart = padded / alignment * alignment
    // A file without tensors may end before the padding does.
    let dataCount = overflow ? 0 : max(fileCount - dataStart, 0)
    var end = 0
    var last = ""
    for (name, entry) in entries.sorted(by: {
      ($0.value.start, $0.value.byteCount) < ($1.value.start, $1.value.byteCount)
    }) {
      func invalid(_ reason: String) -> CheckpointError { .invalidTensor(file: file, tensor: name, reason: reason) }
      guard entry.start % alignment == 0 else {
        throw invalid("starts at byte \(entry.start) of the data, expected a multiple of \(alignment)")
      }
      guard entry.start <= dataCount, entry.byteCount <= dataCount - entry.start else {
        throw invalid("takes \(entry.byteCount) bytes at \(entry.start) of the data, which has \(dataCount)")
      }
      guard entry.start >= end else { throw invalid("overlaps '\(last)'") }
      end = entry.start + entry.byteCount
      last = name
      entries[name]?.start = dataStart + entry.start
    }
  }
}
