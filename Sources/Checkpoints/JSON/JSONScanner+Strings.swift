extension JSONScanner {
  /// A string just read: as it stands in the text, or rewritten because it had escapes.
  enum Text {
    case plain(Range<Int>)
    case unescaped([UInt8])
  }

  /// A string, its escapes resolved; unpaired surrogates become U+FFFD.
  package mutating func string() throws -> String {
    switch try text() {
    case .plain(let range): String(decoding: bytes[range], as: UTF8.self)
    case .unescaped(let text): String(decoding: text, as: UTF8.self)
    }
  }

  /// A string's UTF-8 bytes, its escapes resolved, valid for the call only.
  package mutating func stringBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    switch try text() {
    case .plain(let range): try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
    case .unescaped(let text): try text.withUnsafeBytes(body)
    }
  }

  mutating func text() throws -> Text {
    try expect(UInt8(ascii: "\""))
    let start = offset
    try skipPlainText()
    if bytes[offset] == UInt8(ascii: "\"") {
      offset += 1
      return .plain(start..<offset - 1)
    }
    var unescaped = [UInt8](bytes[start..<offset])
    while bytes[offset] == UInt8(ascii: "\\") {
      try unescape(into: &unescaped)
      let plain = offset
      try skipPlainText()
      unescaped.append(contentsOf: bytes[plain..<offset])
    }
    offset += 1
    return .unescaped(unescaped)
  }

  /// Moves to the quote that ends the string or to the next backslash.
  private mutating func skipPlainText() throws {
    while offset < bytes.count {
      // Eight bytes at a time as long as all of them are plain ASCII.
      while bytes.count - offset >= 8 {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        let marks = Self.marks(word)
        offset += marks == 0 ? 8 : marks.trailingZeroBitCount / 8
        guard marks == 0 else { break }
      }
      guard offset < bytes.count else { break }
      switch bytes[offset] {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): return
      case 0..<0x20: throw error("control character in string")
      case 0x80...: try skipWideScalar()
      default: offset += 1
      }
    }
    throw error("unterminated string")
  }

  /// The high bit of every byte that is a quote, a backslash, a control character or no ASCII. Bytes above a marked one
  /// may be marked without cause; the lowest mark is right.
  @inline(__always)
  private static func marks(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quote = word ^ ones &* UInt64(UInt8(ascii: "\""))
    let backslash = word ^ ones &* UInt64(UInt8(ascii: "\\"))
    let found = (quote &- ones) & ~quote | (backslash &- ones) & ~backslash | (word &- ones &* 0x20) & ~word | word
    return found & ones &* 0x80
  }

  /// Moves past one scalar of two to four bytes (Unicode standard, table 3-7).
  private mutating func skipWideScalar() throws {
    let first = bytes[offset]
    let second: ClosedRange<UInt8>
    let count: Int
    switch first {
    case 0xC2...0xDF: (count, second) = (2, 0x80...0xBF)
    case 0xE0: (count, second) = (3, 0xA0...0xBF)
    case 0xED: (count, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: (count, second) = (3, 0x80...0xBF)
    case 0xF0: (count, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: (count, second) = (4, 0x80...0xBF)
    case 0xF4: (count, second) = (4, 0x80...0x8F)
    default: throw error("invalid UTF-8 in string")
    }
    guard count <= bytes.count - offset, second ~= bytes[offset + 1],
      bytes[(offset + 2)..<(offset + count)].allSatisfy({ $0 & 0xC0 == 0x80 })
    else { throw error("invalid UTF-8 in string") }
    offset += count
  }

  /// Resolves the escape at the current offset.
  private mutating func unescape(into out: inout [UInt8]) throws {
    guard bytes.count - offset >= 2 else { throw error("unterminated string") }
    let escape = bytes[offset + 1]
    offset += 2
    switch escape {
    case UInt8(ascii: "n"): out.append(0x0A)
    case UInt8(ascii: "t"): out.append(0x09)
    case UInt8(ascii: "r"): out.append(0x0D)
    case UInt8(ascii: "b"): out.append(0x08)
    case UInt8(ascii: "f"): out.append(0x0C)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(escape)
    case UInt8(ascii: "u"): out.append(contentsOf: Array(String(try escapedScalar()).utf8))
    default: throw JSONError(offset: offset - 2, message: "unknown escape in string")
    }
  }

  private mutating func escapedScalar() throws -> Unicode.Scalar {
    let replacement: Unicode.Scalar = "\u{FFFD}"
    let first = try hexadecimal4()
    guard 0xD800..<0xE000 ~= first else { return Unicode.Scalar(first) ?? replacement }
    guard first < 0xDC00, bytes.count - offset >= 2, bytes[offset] == UInt8(ascii: "\\"),
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
    guard bytes.count - offset >= 4 else { throw error("unterminated string") }
    var value: UInt32 = 0
    for _ in 0..<4 {
      let digit: UInt8
      switch bytes[offset] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = bytes[offset] - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = bytes[offset] - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = bytes[offset] - UInt8(ascii: "A") + 10
      default: throw error("expected four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      offset += 1
    }
    return value
  }
}
