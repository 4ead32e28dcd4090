import Tokenization

/// Where tokens lie in the text that they decode to.
enum DecodedText {
  /// For each of `ids` the bytes of `GemmaTokenizer.decode(ids)` that it stands for; together they cover the text
  /// without gaps. Where the tokens' bytes are not UTF-8 the text has U+FFFD, which belongs to the first token with a
  /// part in it.
  static func ranges(of ids: [Int32], tokenizer: GemmaTokenizer) -> [Range<Int>] {
    // An id without a piece, such as a padding row of the embedding, stands for no text.
    ranges(of: ids.map { (try? tokenizer.decodeBytes([$0])) ?? [] })
  }

  /// The same for tokens given as their bytes.
  static func ranges(of tokens: [[UInt8]]) -> [Range<Int>] {
    var bytes: [UInt8] = []
    let ends = tokens.map { token in
      bytes += token
      return bytes.count
    }
    let places = places(in: bytes)
    return ends.indices.map { places[$0 > 0 ? ends[$0 - 1] : 0]..<places[ends[$0]] }
  }

  /// For each byte, and for their end, its place in the text that `String(decoding:as:)` makes of them.
  private static func places(in bytes: [UInt8]) -> [Int] {
    var places: [Int] = []
    places.reserveCapacity(bytes.count + 1)
    var position = 0
    var parser = Unicode.UTF8.ForwardParser()
    var input = bytes.makeIterator()
    while true {
      switch parser.parseScalar(from: &input) {
      case .valid(let scalar):
        places += position..<position + scalar.count
        position += scalar.count
      case .error(let length):
        places.append(position)
        position += replacementLength
        places += repeatElement(position, count: length - 1)
      case .emptyInput:
        places.append(position)
        return places
      }
    }
  }

  private static let replacementLength = "\u{FFFD}".utf8.count
}
