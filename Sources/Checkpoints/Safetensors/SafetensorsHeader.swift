/// The JSON at the start of a safetensors file, checked against the file's size.
///
/// Format and limits: <https://github.com/huggingface/safetensors>, whose reader refuses what is refused here. Refused
/// beyond that: a name given twice, and shapes that overflow even though an axis is empty.
struct SafetensorsHeader {
  struct Entry {
    let type: SafetensorsType
    let shape: [Int]
    /// Bytes of the elements within the data section.
    let range: Range<Int>
  }

  /// As in the reference implementation.
  static let maximumByteCount = 100_000_000

  private(set) var metadata: [String: String] = [:]
  private(set) var entries: [String: Entry] = [:]
  /// Where the data section starts in the file.
  let dataStart: Int

  private let file: String

  init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    self.file = file
    func malformed(_ reason: String) -> CheckpointError { .malformed(file: file, reason: reason) }
    guard bytes.count >= 8 else { throw malformed("\(bytes.count) bytes, expected a header length of 8 bytes") }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= Self.maximumByteCount else {
      throw malformed("header of \(length) bytes, expected at most \(Self.maximumByteCount)")
    }
    guard length <= bytes.count - 8 else {
      throw malformed("header of \(length) bytes in a file of \(bytes.count) bytes")
    }
    dataStart = 8 + Int(length)
    let text = bytes.slice(8..<dataStart)
    guard text.first == UInt8(ascii: "{") else { throw malformed("header does not start with '{'") }
    do {
      try parse(text)
    } catch let error as JSONError {
      throw malformed("header: \(error)")
    }
    try checkLayout(dataCount: bytes.count - dataStart)
  }

  private mutating func parse(_ text: UnsafeRawBufferPointer) throws {
    var scanner = JSONScanner(text)
    var hasMetadata = false
    try scanner.object { name, scanner in
      if name == "__metadata__" {
        guard !hasMetadata else { throw scanner.error("'__metadata__' given twice") }
        hasMetadata = true
        try parseMetadata(&scanner)
      } else {
        let entry = try parseEntry(name, &scanner)
        guard entries.updateValue(entry, forKey: name) == nil else {
          throw CheckpointError.invalidTensor(file: file, tensor: name, reason: "given twice")
        }
      }
    }
    try scanner.end()
  }

  private mutating func parseMetadata(_ scanner: inout JSONScanner) throws {
    if try scanner.peek() == .null { return try scanner.null() }
    try scanner.object { key, scanner in
      guard metadata.updateValue(try scanner.string(), forKey: key) == nil else {
        throw scanner.error("'__metadata__' has key '\(key)' twice")
      }
    }
  }

  private func parseEntry(_ name: String, _ scanner: inout JSONScanner) throws -> Entry {
    func invalid(_ reason: String) -> CheckpointError { .invalidTensor(file: file, tensor: name, reason: reason) }
    var type: SafetensorsType?
    var shape: [Int]?
    var offsets: [Int]?
    try scanner.object { key, scanner in
      switch key {
      case "dtype":
        guard type == nil else { throw invalid("'dtype' given twice") }
        let text = try scanner.string()
        type = SafetensorsType(rawValue: text)
        guard type != nil else { throw invalid("unknown dtype '\(text)'") }
      case "shape":
        guard shape == nil else { throw invalid("'shape' given twice") }
        shape = try Self.integers(&scanner, atMost: Self.maximumRank)
      case "data_offsets":
        guard offsets == nil else { throw invalid("'data_offsets' given twice") }
        offsets = try Self.integers(&scanner, atMost: 2)
      default: try scanner.skipValue()
      }
    }
    guard let type else { throw invalid("no 'dtype'") }
    guard let shape else { throw invalid("no 'shape'") }
    guard let offsets else { throw invalid("no 'data_offsets'") }
    guard offsets.count == 2, 0 <= offsets[0], offsets[0] <= offsets[1] else {
      throw invalid("data_offsets \(offsets), expected [begin, end] with 0 ≤ begin ≤ end")
    }
    guard let byteCount = type.byteCount(shape) else { throw invalid("impossible shape \(shape) of \(type.rawValue)") }
    guard offsets[1] - offsets[0] == byteCount else {
      throw invalid(
        "data_offsets span \(offsets[1] - offsets[0]) bytes, expected \(byteCount) for \(type.rawValue) \(shape)")
    }
    return Entry(type: type, shape: shape, range: offsets[0]..<offsets[1])
  }

  /// No tensor has as many axes; a list of them must not fill memory before its file is found to be wrong.
  private static let maximumRank = 64

  private static func integers(_ scanner: inout JSONScanner, atMost limit: Int) throws -> [Int] {
    var values: [Int] = []
    try scanner.array { scanner in
      guard values.count < limit else { throw scanner.error("expected at most \(limit) numbers") }
      values.append(try scanner.integer())
    }
    return values
  }

  /// Tensors must fill the data section one after the other, without holes, overlap or bytes left over.
  private func checkLayout(dataCount: Int) throws {
    let ordered = entries.sorted {
      ($0.value.range.lowerBound, $0.value.range.upperBound) < ($1.value.range.lowerBound, $1.value.range.upperBound)
    }
    var end = 0
    for (name, entry) in ordered {
      guard entry.range.lowerBound == end else {
        throw CheckpointError.invalidTensor(
          file: file, tensor: name,
          reason: "starts at byte \(entry.range.lowerBound) of the data, expected \(end): tensors must not overlap or "
            + "leave holes")
      }
      end = entry.range.upperBound
      guard end <= dataCount else {
        throw CheckpointError.invalidTensor(
          file: file, tensor: name, reason: "ends at byte \(end) of the data, which has \(dataCount)")
      }
    }
    guard end == dataCount else {
      throw CheckpointError.malformed(file: file, reason: "\(dataCount) bytes of data, the tensors take \(end)")
    }
  }
}
