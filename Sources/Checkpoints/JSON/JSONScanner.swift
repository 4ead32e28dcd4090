/// What a JSON text did wrong, and where.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Byte offset of the fault.
  public let offset: Int
  public let message: String

  public init(offset: Int, message: String) {
    self.offset = offset
    self.message = message
  }

  public var description: String { "\(message) at byte \(offset)" }
}

/// A pull parser over UTF-8 bytes: the caller walks the structure, so nothing is built that is not wanted. It is strict
/// (RFC 8259), refuses nesting deeper than `maximumDepth`, and never reads past the end.
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

  private let bytes: UnsafeRawBufferPointer
  package private(set) var offset = 0
  private var depth = 0
  private let maximumDepth: Int

  /// Reads `bytes`, which must outlive the scanner.
  package init(_ bytes: UnsafeRawBufferPointer, maximumDepth: Int = 64) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
  }

  package func error(_ message: String) -> JSONError { JSONError(offset: offset, message: message) }

  private mutating func skipSpace() {
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

  private mutating func expect(_ byte: UInt8) throws {
    skipSpace()
    guard offset < bytes.count, bytes[offset] == byte else {
      throw error("expected '\(Character(Unicode.Scalar(byte)))'")
    }
    offset += 1
  }

  private mutating func accept(_ byte: UInt8) -> Bool {
    skipSpace()
    guard offset < bytes.count, bytes[offset] == byte else { return false }
    offset += 1
    return true
  }

  /// Reads an object; `member` must consume exactly the value of each key.
  package mutating func object(_ member: (String, inout JSONScanner) throws -> Void) throws {
    try expect(UInt8(ascii: "{"))
    try nest()
    defer { depth -= 1 }
    if accept(UInt8(ascii: "}")) { return }
    repeat {
      let key = try string()
      try expect(UInt8(ascii: ":"))
      try member(key, &self)
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
    depth += 1
    guard depth <= maximumDepth else { throw error("JSON nested deeper than \(maximumDepth)") }
  }

  /// A string, its escapes resolved; unpaired surrogates become U+FFFD.
  package mutating func string() throws -> String {
    var result = ""
    try stringBytes { result = String(decoding: $0, as: UTF8.self) }
    return result
  }

  /// A string's UTF-8 bytes, its escapes resolved, valid for the call only.
  package mutating func stringBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    try expect(UInt8(ascii: "\""))
    let start = offset
    while offset < bytes.count {
      switch bytes[offset] {
      case UInt8(ascii: "\""):
        let plain = UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
        offset += 1
        return try body(plain)
      case UInt8(ascii: "\\"):
        var unescaped = [UInt8](bytes[start..<offset])
        try unescapeRest(into: &unescaped)
        return try unescaped.withUnsafeBytes(body)
      case 0..<0x20: throw error("control character in string")
      default: offset += 1
      }
    }
    throw error("unterminated string")
  }

  private mutating func unescapeRest(into out: inout [UInt8]) throws {
    while offset < bytes.count {
      let byte = bytes[offset]
      offset += 1
      switch byte {
      case UInt8(ascii: "\""): return
      case UInt8(ascii: "\\"):
        guard offset < bytes.count else { throw error("unterminated string") }
        let escape = bytes[offset]
        offset += 1
        switch escape {
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(escape)
        case UInt8(ascii: "u"): out.append(contentsOf: Array(String(Character(try escapedScalar())).utf8))
        default: throw error("unknown escape in string")
        }
      case 0..<0x20: throw error("control character in string")
      default: out.append(byte)
      }
    }
    throw error("unterminated string")
  }

  private mutating func escapedScalar() throws -> Unicode.Scalar {
    let replacement: Unicode.Scalar = "\u{FFFD}"
    let first = try hexadecimal4()
    guard 0xD800..<0xE000 ~= first else { return Unicode.Scalar(first) ?? replacement }
    guard first < 0xDC00, offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"),
      bytes[offset + 1] == UInt8(ascii: "u")
    else { return replacement }
    let afterFirst = offset
    offset += 2
    let second = try hexadecimal4()
    guard 0xDC00..<0xE000 ~= second else {
      offset = afterFirst
      return replacement
    }
    return Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)) ?? replacement
  }

  private mutating func hexadecimal4() throws -> UInt32 {
    guard offset + 4 <= bytes.count else { throw error("unterminated string") }
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(bytes[offset])).hexDigitValue, bytes[offset] < 0x80 else {
        throw error("expected four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      offset += 1
    }
    return value
  }

  private mutating func digits() -> Int {
    let start = offset
    while offset < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[offset] { offset += 1 }
    return offset - start
  }

  private mutating func numberRange() throws -> Range<Int> {
    skipSpace()
    let start = offset
    if offset < bytes.count, bytes[offset] == UInt8(ascii: "-") { offset += 1 }
    let integerStart = offset
    let count = digits()
    guard count > 0, count == 1 || bytes[integerStart] != UInt8(ascii: "0") else { throw error("expected a number") }
    if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
      offset += 1
      guard digits() > 0 else { throw error("expected digits after the decimal point") }
    }
    if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
      offset += 1
      if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") { offset += 1 }
      guard digits() > 0 else { throw error("expected digits in the exponent") }
    }
    return start..<offset
  }

  /// A number; one too large for Double becomes infinite.
  package mutating func double() throws -> Double {
    let range = try numberRange()
    guard let value = Double(String(decoding: bytes[range], as: UTF8.self)) else { throw error("expected a number") }
    return value
  }

  /// A whole number written without fraction or exponent, within Int.
  package mutating func integer() throws -> Int {
    let range = try numberRange()
    guard let value = Int(String(decoding: bytes[range], as: UTF8.self)) else {
      throw JSONError(offset: range.lowerBound, message: "expected a whole number")
    }
    return value
  }

  package mutating func bool() throws -> Bool {
    if try acceptWord("true") { return true }
    if try acceptWord("false") { return false }
    throw error("expected true or false")
  }

  package mutating func null() throws {
    guard try acceptWord("null") else { throw error("expected null") }
  }

  private mutating func acceptWord(_ word: StaticString) throws -> Bool {
    skipSpace()
    let count = word.utf8CodeUnitCount
    guard offset + count <= bytes.count else { return false }
    for i in 0..<count where bytes[offset + i] != word.utf8Start[i] { return false }
    offset += count
    return true
  }

  /// Passes over the next value, whatever it is.
  package mutating func skipValue() throws {
    switch try peek() {
    case .object: try object { _, scanner in try scanner.skipValue() }
    case .array: try array { try $0.skipValue() }
    case .string: try stringBytes { _ in }
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
