import TestSupport
import Testing
import Tokenization

@Suite struct DecodeTests {
  @Test(arguments: Subject.all)
  func encodingComesBack(_ subject: Subject) throws {
    let tokenizer = try subject.load()
    let texts = try Goldens.read(subject.goldens).texts.map(\.text)
    var random = SeededRandom(seed: 5)
    for text in texts + (0..<3_000).map({ _ in RandomText.make(&random, marks: false) }) {
      let expected = text.unicodeScalars.map { $0 == "\u{2581}" ? " " : $0 }
      for specials in [GemmaTokenizer.Specials.parse, .asText] {
        let decoded = try tokenizer.decode(tokenizer.encode(text, addBOS: false, specials: specials))
        #expect(Array(decoded.unicodeScalars) == expected, "\(text.debugDescription)")
      }
    }
  }

  @Test(arguments: Subject.all)
  func streamingGivesTheWhole(_ subject: Subject) throws {
    let tokenizer = try subject.load()
    let bytes = (0..<256).compactMap {
      tokenizer.id(of: "<0x\($0 < 16 ? "0" : "")\(String($0, radix: 16, uppercase: true))>")
    }
    #expect(bytes.count == 256)
    var random = SeededRandom(seed: 6)
    for round in 0..<600 {
      // Text, then bytes in any order among other tokens: valid, cut short and impossible.
      var ids: [Int32] = []
      if round % 2 == 0 {
        ids = tokenizer.encode(RandomText.make(&random))
      } else {
        for _ in 0..<random.int(1...24) {
          let lead = [0xC3, 0xE0, 0xE2, 0xED, 0xF0, 0xF4, 0x80, 0x9F, 0xA0, 0xBF, 0x41, 0xFF][random.int(0...11)]
          ids.append(random.int(0...9) == 0 ? Int32(random.int(0...tokenizer.vocabularySize - 1)) : bytes[lead])
        }
      }
      for skipSpecials in [false, true] {
        var decoder = StreamingDecoder(tokenizer, skipSpecials: skipSpecials)
        var text = ""
        for (index, id) in ids.enumerated() {
          text += try decoder.append(id)
          // At every split, what is out and what is held back are the decoding so far.
          var copy = decoder
          let whole = try tokenizer.decode(ids[...index], skipSpecials: skipSpecials)
          #expect(Array((text + copy.finish()).unicodeScalars) == Array(whole.unicodeScalars))
        }
        #expect(decoder.finish().unicodeScalars.allSatisfy { $0 == "\u{FFFD}" })
      }
    }
  }

  @Test func incompleteScalarsAreHeldBack() throws {
    let tokenizer = try Subject.tinyJSON.load()
    var decoder = StreamingDecoder(tokenizer)
    let outputs = try [0xF0, 0x9F, 0x98, 0x80, 0xE2, 0x41].map {
      try decoder.append(tokenizer.id(of: "<0x\(String($0, radix: 16, uppercase: true))>") ?? -1)
    }
    #expect(outputs == ["", "", "", "😀", "", "\u{FFFD}A"])
    #expect(decoder.finish() == "")
  }

  @Test func specialsCanBeSkipped() throws {
    let tokenizer = try Subject.tinyJSON.load()
    let ids = tokenizer.encode("<start_of_turn>user\n<b>hi</b><end_of_turn>")
    #expect(try tokenizer.decode(ids) == "<bos><start_of_turn>user\n<b>hi</b><end_of_turn>")
    #expect(try tokenizer.decode(ids, skipSpecials: true) == "user\n<b>hi</b>")
    #expect(try tokenizer.decodeBytes([], skipSpecials: true) == [])
  }

  @Test func unknownIdsAreErrors() throws {
    let tokenizer = try Subject.tinyJSON.load()
    let size = tokenizer.vocabularySize
    for id in [Int32(size), -1, .max, .min] {
      #expect(throws: TokenizerError.idOutOfRange(id: id, vocabularySize: size)) { try tokenizer.decode([2, id]) }
      var decoder = StreamingDecoder(tokenizer)
      #expect(throws: TokenizerError.idOutOfRange(id: id, vocabularySize: size)) { try decoder.append(id) }
    }
  }
}
