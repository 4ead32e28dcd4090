import TestSupport

/// Random texts that crowd the borders tokenizers trip over.
enum RandomText {
  private static let alphabets: [[String]] = [
    ["a", "b", " ", "\n"],
    ["<", ">", "/", "b", " ", "h1", "i"],
    [" ", "  ", "the", "in", "er", "\n", "\t", ">", "</"],
    ["a", "\u{300}", "\u{E0}", " ", "e\u{301}"],
    ["<start_of_turn>", "<start_of", "_turn>", "<end_of_turn>", "<unused1", "<bos>", "\n", " ", "<b>", "</b>", "x"],
    ["漢", "字", "ก", "น้ำ", "😀", "\u{200D}", "👨", "\r\n", "\0", "é", "क्ष"],
  ]

  /// Without U+2581 unless `marks`.
  static func make(_ random: inout SeededRandom, upTo count: Int = 60, marks: Bool = true) -> String {
    let length = random.int(0...count)
    var text = String.UnicodeScalarView()
    if random.int(0...4) == 0 {
      for _ in 0..<length { text.append(scalar(&random)) }
    } else {
      let alphabet = alphabets[random.int(0...alphabets.count - 1)] + (marks ? ["\u{2581}"] : [])
      for _ in 0..<length { text.append(contentsOf: alphabet[random.int(0...alphabet.count - 1)].unicodeScalars) }
    }
    return String(text)
  }

  private static func scalar(_ random: inout SeededRandom) -> Unicode.Scalar {
    let limit: [UInt32] = [0x80, 0x800, 0xD800, 0x10000, 0x110000]
    let value = UInt32(random.int(0...Int(limit[random.int(0...4)]) - 1))
    return value == 0x2581 ? "x" : Unicode.Scalar(value) ?? "y"
  }
}
