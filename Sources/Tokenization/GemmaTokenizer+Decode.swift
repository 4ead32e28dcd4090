extension GemmaTokenizer {
  /// The text of `ids`. Bytes that are not valid UTF-8 become U+FFFD, one for each maximal invalid part (Hugging Face
  /// writes one for each byte of the run of byte tokens they stand in).
  ///
  /// - Parameter skipSpecials: Whether special tokens are left out instead of spelled.
  /// - Throws: `TokenizerError.idOutOfRange`.
  public func decode(_ ids: some Sequence<Int32>, skipSpecials: Bool = false) throws -> String {
    String(decoding: try decodeBytes(ids, skipSpecials: skipSpecials), as: UTF8.self)
  }

  /// The bytes of `ids`, valid UTF-8 or not.
  ///
  /// - Throws: `TokenizerError.idOutOfRange`.
  public func decodeBytes(_ ids: some Sequence<Int32>, skipSpecials: Bool = false) throws -> [UInt8] {
    var bytes: [UInt8] = []
    for id in ids { try appendBytes(of: id, skipSpecials: skipSpecials, to: &bytes) }
    return bytes
  }

  func appendBytes(of id: Int32, skipSpecials: Bool, to bytes: inout [UInt8]) throws {
    guard id >= 0, id < vocabularySize else {
      throw TokenizerError.idOutOfRange(id: id, vocabularySize: vocabularySize)
    }
    switch model.kinds[Int(id)] {
    case .special where skipSpecials: return
    case .byte:
      let piece = model.pieces.bytes(id)
      // <0xHH>: the digits' place is fixed.
      bytes.append(Self.digit(piece[piece.startIndex + 3]) << 4 | Self.digit(piece[piece.startIndex + 4]))
    case .normal, .added, .special:
      model.pieces.withBytes(id) { piece in
        var index = 0
        while index < piece.count {
          let isMark = UTF8Scan.isMark(piece, at: index)
          bytes.append(isMark ? 0x20 : piece[index])
          index += isMark ? 3 : 1
        }
      }
    }
  }

  private static func digit(_ byte: UInt8) -> UInt8 { byte <= UInt8(ascii: "9") ? byte & 15 : (byte & 15) + 9 }
}
