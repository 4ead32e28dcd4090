/// Tokens as text, without the tokenizer: pieces as the vocabulary spells them are enough.
enum TokenText {
  private static let space = Array("\u{2581}".utf8)

  /// The text of some tokens: U+2581 becomes a space and `<0x0A>` the byte it stands for.
  static func text(_ pieces: some Sequence<String>) -> String {
    var bytes: [UInt8] = []
    for piece in pieces { append(piece, to: &bytes) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A token as labels spell it: lower case and without leading spaces, unless it has nothing else.
  static func normalised(_ piece: String) -> String {
    // Halves of characters would all be U+FFFD.
    if let byte = byte(of: piece), byte >= 0x80 { return piece.lowercased() }
    return bare(text(CollectionOfOne(piece)))
  }

  /// A text in lower case and without leading spaces, unless it has nothing else.
  static func bare(_ text: String) -> String {
    let rest = text.drop { $0 == " " }
    return (rest.isEmpty ? text[...] : rest).lowercased()
  }

  private static func append(_ piece: String, to bytes: inout [UInt8]) {
    if let byte = byte(of: piece) {
      bytes.append(byte)
      return
    }
    let utf8 = Array(piece.utf8)
    var i = 0
    while i < utf8.count {
      if utf8[i] == space[0], utf8.count - i >= 3, utf8[i + 1] == space[1], utf8[i + 2] == space[2] {
        bytes.append(UInt8(ascii: " "))
        i += 3
      } else {
        bytes.append(utf8[i])
        i += 1
      }
    }
  }

  /// The byte that a piece such as `<0x0A>` stands for.
  private static func byte(of piece: String) -> UInt8? {
    guard piece.utf8.count == 6, piece.hasPrefix("<0x"), piece.hasSuffix(">") else { return nil }
    return UInt8(piece.dropFirst(3).dropLast(), radix: 16)
  }
}
