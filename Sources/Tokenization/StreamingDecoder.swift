/// Decodes tokens as they come. Bytes that may be the beginning of a scalar are held back until it is complete or
/// cannot be, so what is given out, put together, is what `GemmaTokenizer.decode` makes of all tokens at once.
///
/// ```swift
/// var decoder = StreamingDecoder(tokenizer)
/// for id in ids { print(try decoder.append(id), terminator: "") }
/// print(decoder.finish())
/// ```
public struct StreamingDecoder: Sendable {
  private let tokenizer: GemmaTokenizer
  private let skipSpecials: Bool
  private var pending: [UInt8] = []

  /// A decoder that has seen nothing.
  /// - Parameter skipSpecials: Whether special tokens are left out instead of spelled.
  public init(_ tokenizer: GemmaTokenizer, skipSpecials: Bool = false) {
    self.tokenizer = tokenizer
    self.skipSpecials = skipSpecials
  }

  /// The text that `id` completes, which may be empty.
  /// - Throws: `TokenizerError.idOutOfRange`; the decoder stays as it was.
  public mutating func append(_ id: Int32) throws -> String {
    try tokenizer.appendBytes(of: id, skipSpecials: skipSpecials, to: &pending)
    let ready = pending.count - Self.incompleteCount(pending)
    guard ready > 0 else { return "" }
    defer { pending.removeFirst(ready) }
    return String(decoding: pending[..<ready], as: UTF8.self)
  }

  /// What was held back, as U+FFFD; the decoder is then empty.
  public mutating func finish() -> String {
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }

  /// How many bytes at the end are a scalar's beginning that more bytes could complete.
  private static func incompleteCount(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
      let lead = bytes[bytes.count - count]
      if lead & 0xC0 == 0x80 { continue }
      let needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2
      guard (0xC2...0xF4).contains(lead), count < needed else { return 0 }
      guard count > 1 else { return 1 }
      // The second byte of some scalars has a narrower range than the others (no surrogates, no overlong forms).
      let second = bytes[bytes.count - count + 1]
      let allowed: ClosedRange<UInt8> =
        switch lead {
        case 0xE0: 0xA0...0xBF
        case 0xED: 0x80...0x9F
        case 0xF0: 0x90...0xBF
        case 0xF4: 0x80...0x8F
        default: 0x80...0xBF
        }
      return allowed.contains(second) ? count : 0
    }
    return 0
  }
}
