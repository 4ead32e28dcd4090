import TestSupport
import Testing
import Tokenization

@Suite struct RangeTests {
  /// Ranges follow one another without gaps, and each holds the text that its token stands for.
  private func check(_ tokenizer: GemmaTokenizer, _ text: String, _ specials: GemmaTokenizer.Specials) throws {
    let encoding = tokenizer.encodeWithRanges(text, specials: specials)
    #expect(encoding.ids == tokenizer.encode(text, specials: specials))
    #expect(encoding.ids.count == encoding.ranges.count)
    let bytes = Array(text.utf8)
    var end = 0
    for (id, range) in zip(encoding.ids, encoding.ranges) {
      #expect(range.lowerBound == end, "\(text.debugDescription)")
      end = range.upperBound
      guard end <= bytes.count else { break }
      if range.isEmpty {
        #expect(id == tokenizer.bos && end == 0)
      } else {
        let written = String(
          String.UnicodeScalarView(
            String(decoding: bytes[range], as: UTF8.self).unicodeScalars.map { $0 == "\u{2581}" ? " " : $0 }))
        let token = try tokenizer.decode([id])
        // A byte of a longer scalar stands alone; the first <bos> may stand for several.
        let isRepeated = id == tokenizer.bos && written.replacing("<bos>", with: "").isEmpty
        #expect(range.count == 1 || isRepeated || Array(token.utf8) == Array(written.utf8), "\(text.debugDescription)")
      }
    }
    #expect(end == bytes.count, "\(text.debugDescription)")
  }

  @Test(arguments: Subject.all)
  func coverTheText(_ subject: Subject) throws {
    let tokenizer = try subject.load()
    for golden in try Goldens.read(subject.goldens).texts {
      try check(tokenizer, golden.text, .parse)
      try check(tokenizer, golden.text, .asText)
    }
    var random = SeededRandom(seed: 4)
    for _ in 0..<1_000 { try check(tokenizer, RandomText.make(&random), .parse) }
  }

  @Test func examples() throws {
    let tokenizer = try Subject.tinyJSON.load()
    let kept = tokenizer.encodeWithRanges("<bos>  \u{0601}", specials: .parse)
    #expect(kept.ids.first == tokenizer.bos)
    // The text's own <bos>, two spaces as one token, two bytes of a scalar without a piece.
    #expect(kept.ranges == [0..<5, 5..<7, 7..<8, 8..<9])
    let repeated = tokenizer.encodeWithRanges("<bos><bos>  ")
    #expect(repeated.ids.count == 2 && repeated.ranges == [0..<10, 10..<12])
    #expect(tokenizer.encodeWithRanges("<bos><bos>", addBOS: false).ranges == [0..<5, 5..<10])
    #expect(tokenizer.encodeWithRanges("").ranges == [0..<0])
    #expect(tokenizer.encodeWithRanges("", addBOS: false).ranges.isEmpty)
    // U+2581 itself takes its own three bytes.
    #expect(tokenizer.encodeWithRanges("\u{2581} ", addBOS: false).ranges == [0..<4])
  }
}
