/// A pull parser over UTF-8 bytes: the caller walks the structure, so nothing is built that is not wanted. It is strict
/// (RFC 8259, valid UTF-8 in strings), refuses nesting deeper than `maximumDepth`, and never reads past the end. Keys
/// given twice are the caller's to refuse.
///
/// ```swift
/// var scanner = JSONScanner(bytes)
/// try scanner.object { key, scanner in
///   if key == "width" { width = try scanner.integer() } else { try scanner.skipValue() }
/// }
/// try scanner.end()
/// ```
package struct JSONScanner {
  package enum Kind { case object, array, string, number, bool, null }

  let bytes: UnsafeRawBufferPointer
  /// Bytes read so far.
  package internal(set) var offset = 0
  private var depth = 0
  private let maximumDepth: Int

  /// Reads `bytes`, which must outlive the scanner.
  package init(_ bytes: UnsafeRawBufferPointer, maximumDepth: Int = 64) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
  }

  /// A fault at the current offset, for callers that find a value of the wrong sort.
  package func error(_ message: String) -> JSONError { JSONError(offset: offset, message: message) }

  @inline(__always)
  mutating func skipSpace() {
    while offset < bytes.count {
      switch bytes[offset] {
      case 0x20, 0x09, 0x0A, 0x0D: offset += 1
      default: return
      }
    }
  }

  /// The kind of the next value, which stays unread.
  package mutating func peek() throws -> Kind {
    skipSpace()
    guard offset < bytes.count else { throw error("unexpected end of JSON") }
    switch bytes[offset] {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
    case UInt8(ascii: "n"): return .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
    default: throw error("unexpected byte 0x" + String(bytes[offset], radix: 16))
    }
  }

  mutating func expect(_ byte: UInt8) throws {
    guard accept(byte) else { throw error("expected '\(Character(Unicode.Scalar(byte)))'") }
  }

  @inline(__always)
  private mutating func accept(_ byte: UInt8) -> Bool {
    skipSpace()
    guard offset < bytes.count, bytes[offset] == byte else { return false }
    offset += 1
    return true
  }

  /// Reads an object; `member` must consume exactly the value of each key.
  package mutating func object(_ member: (String, inout JSONScanner) throws -> Void) throws {
    try objectBytes { key, scanner in try member(String(decoding: key, as: UTF8.self), &scanner) }
  }

  /// Reads an object as `object(_:)` does, its keys given as UTF-8 bytes that are valid for the call only: no String is
  /// made of each of a large vocabulary's keys.
  package mutating func objectBytes(_ member: (UnsafeRawBufferPointer, inout JSONScanner) throws -> Void) throws {
    try expect(UInt8(ascii: "{"))
    try nest()
    defer { depth -= 1 }
    if accept(UInt8(ascii: "}")) { return }
    repeat {
      switch try text() {
      case .plain(let range):
        try expect(UInt8(ascii: ":"))
        try member(UnsafeRawBufferPointer(rebasing: bytes[range]), &self)
      case .unescaped(let key):
        try expect(UInt8(ascii: ":"))
        try key.withUnsafeBytes { try member($0, &self) }
      }
    } while accept(UInt8(ascii: ","))
    try expect(UInt8(ascii: "}"))
  }

  /// Reads an array; `element` must consume exactly one value a call.
  package mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
    try expect(UInt8(ascii: "["))
    try nest()
    defer { depth -= 1 }
    if accept(UInt8(ascii: "]")) { return }
    repeat { try element(&self) } while accept(UInt8(ascii: ","))
    try expect(UInt8(ascii: "]"))
  }

  private mutating func nest() throws {
    guard depth < maximumDepth else { throw error("JSON nested deeper than \(maximumDepth)") }
    depth += 1
  }

  package mutating func bool() throws -> Bool {
    if acceptWord("true") { return true }
    if acceptWord("false") { return false }
    throw error("expected true or false")
  }

  package mutating func null() throws {
    guard acceptWord("null") else { throw error("expected null") }
  }

  private mutating func acceptWord(_ word: StaticString) -> Bool {
    skipSpace()
    let count = word.utf8CodeUnitCount
    guard count <= bytes.count - offset else { return false }
    for i in 0..<count where bytes[offset + i] != word.utf8Start[i] { return false }
    offset += count
    return true
  }

  /// Passes over the next value, whatever it is.
  package mutating func skipValue() throws {
    switch try peek() {
    case .object: try objectBytes { _, scanner in try scanner.skipValue() }
    case .array: try array { try $0.skipValue() }
    case .string: _ = try text()
    case .number: _ = try numberRange()
    case .bool: _ = try bool()
    case .null: try null()
    }
  }

  /// Checks that only white space is left.
  package mutating func end() throws {
    skipSpace()
    guard offset == bytes.count else { throw error("unexpected bytes after the JSON value") }
  }
}
