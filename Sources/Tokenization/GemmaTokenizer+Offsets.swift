extension GemmaTokenizer {
  /// Tokens with the bytes of the text that each stands for.
  public struct Encoding: Equatable, Sendable {
    /// The tokens.
    public var ids: [Int32]
    /// For each token its place in the text's UTF-8. Together they cover the text in order without gaps. An added
    /// `<bos>` is 0 ..< 0, one that stands for several covers them all; a scalar that falls back to bytes is split byte
    /// by byte.
    public var ranges: [Range<Int>]

    /// Tokens and their places, as many of the one as of the other.
    public init(ids: [Int32] = [], ranges: [Range<Int>] = []) {
      self.ids = ids
      self.ranges = ranges
    }
  }

  /// The tokens of `text` as `encode` gives them, and where in the text each lies.
  public func encodeWithRanges(_ text: String, addBOS: Bool = true, specials: Specials = .parse) -> Encoding {
    var text = text
    return text.withUTF8 { text in
      let (ids, spelledBOS) = encodeValid(text, addBOS: addBOS, specials: specials)
      let start = spelledBOS * model.pieces.length(bos)
      var ranges: [Range<Int>] = addBOS ? [0..<start] : []
      ranges.reserveCapacity(ids.count)
      appendRanges(
        of: ids.dropFirst(ranges.count), in: UnsafeBufferPointer(rebasing: text[start...]), from: start, to: &ranges)
      return Encoding(ids: ids, ranges: ranges)
    }
  }

  /// Appends the range of each of `ids`, whose text begins at byte `start`, moved by `shift`.
  func appendRanges(
    of ids: ArraySlice<Int32>, in text: UnsafeBufferPointer<UInt8>, from shift: Int, to ranges: inout [Range<Int>]
  ) {
    var position = 0
    for id in ids {
      let end = min(end(of: id, in: text, at: position), text.count)
      ranges.append(shift + position..<shift + end)
      position = end
    }
  }

  /// Where a token that begins at `start` ends: a U+2581 of its piece is a space of one byte in the text, or itself.
  @inline(__always)
  private func end(of id: Int32, in text: UnsafeBufferPointer<UInt8>, at start: Int) -> Int {
    if model.kinds[Int(id)] == .byte { return start + 1 }
    return model.pieces.withBytes(id) { piece in
      var position = start
      var index = 0
      while index < piece.count {
        if position < text.count, text[position] == 0x20, UTF8Scan.isMark(piece, at: index) {
          index += 3
        } else {
          index += 1
        }
        position += 1
      }
      return position
    }
  }
}
