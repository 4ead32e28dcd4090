/// What is searched of examples, from their tokens' bytes.
enum ExampleWords {
  /// Bytes by which a word may be longer than its token, to either side.
  private static let reach = 32

  /// A window as text. Characters cut at its ends are left out.
  static func text(_ tokens: [[UInt8]]) -> String {
    String(decoding: tokens.joined(), as: UTF8.self).replacing("\u{FFFD}", with: " ")
  }

  /// The token at `index` with the rest of the word that it belongs to.
  static func word(at index: Int, of tokens: [[UInt8]]) -> String {
    let bytes = Array(tokens.joined())
    var start = tokens[..<index].reduce(0) { $0 + $1.count }
    var end = start + tokens[index].count
    let (low, high) = (max(start - reach, 0), min(end + reach, bytes.count))
    while start > low, start < end, isWord(bytes[start]), isWord(bytes[start - 1]) { start -= 1 }
    while end < high, start < end, isWord(bytes[end - 1]), isWord(bytes[end]) { end += 1 }
    return String(decoding: bytes[start..<end], as: UTF8.self).replacing("\u{FFFD}", with: " ").trimmed
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"), 0x80...:
      true
    default: false
    }
  }
}

extension String {
  fileprivate var trimmed: String {
    let tail = drop(while: \.isWhitespace)
    guard let last = tail.lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return String(tail[...last])
  }
}
