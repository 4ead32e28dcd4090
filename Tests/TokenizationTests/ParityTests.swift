import Foundation
import TestSupport
import Testing
import Tokenization

@Suite struct ParityTests {
  @Test(arguments: Subject.all)
  func idsAreHuggingFaces(_ subject: Subject) throws {
    let tokenizer = try subject.load()
    let goldens = try Goldens.read(subject.goldens)
    #expect(goldens.texts.count > 400)
    // Twice: the second time from the cache.
    for _ in 0..<2 {
      for golden in goldens.texts {
        #expect(tokenizer.encode(golden.text, addBOS: false) == golden.ids, "\(golden.text.debugDescription)")
        #expect(
          tokenizer.encode(golden.text, addBOS: false, specials: .asText) == golden.asText ?? golden.ids,
          "as text: \(golden.text.debugDescription)")
      }
    }
  }

  @Test(arguments: Subject.all)
  func vocabularyIsTheGoldens(_ subject: Subject) throws {
    #expect(try FNVHash.vocabulary(subject.load()) == Goldens.read(subject.goldens).vocabulary)
  }

  /// A megabyte without a space is one chunk.
  @Test(arguments: Subject.all)
  func idsOfLongTextsAreHuggingFaces(_ subject: Subject) throws {
    let tokenizer = try subject.load()
    let goldens = try Goldens.read(subject.goldens).long
    #expect(goldens.contains { $0.bytes >= 1_000_000 })
    for golden in goldens {
      let text = golden.text
      #expect(text.utf8.count == golden.bytes)
      let ids = tokenizer.encode(text, addBOS: false)
      var hash = FNVHash()
      hash.add(ids)
      #expect(ids.count == golden.count && hash.text == golden.hash, "seed \(golden.seed)")
    }
  }

  @Test(arguments: Subject.all)
  func invalidUTF8IsRepaired(_ subject: Subject) throws {
    let tokenizer = try subject.load()
    for golden in try Goldens.read(subject.goldens).invalid {
      #expect(String(decoding: golden.bytes, as: UTF8.self) == golden.text)
      #expect(tokenizer.encode(utf8: golden.bytes, addBOS: false) == golden.ids, "\(golden.hex)")
    }
  }

  @Test func bothSourcesAgree() throws {
    let json = try Subject.tinyJSON.load()
    let gguf = try Subject.tinyGGUF.load()
    #expect(json.vocabularySize == gguf.vocabularySize)
    for id in 0..<Int32(json.vocabularySize) {
      #expect(json.piece(id) == gguf.piece(id))
      #expect(json.isSpecial(id) == gguf.isSpecial(id))
      #expect(json.id(of: json.piece(id)) == id)
    }
    var random = SeededRandom(seed: 3)
    for _ in 0..<2_000 {
      let text = RandomText.make(&random)
      #expect(json.encode(text) == gguf.encode(text), "\(text.debugDescription)")
    }
  }

  @Test(arguments: Subject.all)
  func neverTwoBOS(_ subject: Subject) throws {
    let tokenizer = try subject.load()
    #expect(tokenizer.encode("") == [tokenizer.bos])
    #expect(tokenizer.encode("", addBOS: false).isEmpty)
    #expect(tokenizer.encode("<bos>hi") == tokenizer.encode("hi"))
    #expect(tokenizer.encode("<bos>hi", addBOS: false) == tokenizer.encode("hi"))
    // However many there are, one is left; later ones are the text's own.
    #expect(tokenizer.encode("<bos><bos><bos>hi") == tokenizer.encode("hi"))
    #expect(tokenizer.encode("<bos><bos>") == [tokenizer.bos])
    #expect(tokenizer.encode("<bos><bos>", addBOS: false) == [tokenizer.bos, tokenizer.bos])
    #expect(tokenizer.encode("<bos>hi<bos><bos>").suffix(2) == [tokenizer.bos, tokenizer.bos])
    let spelled = tokenizer.encode("<bos>hi", specials: .asText)
    #expect(spelled.filter { $0 == tokenizer.bos }.count == 1)
    #expect(spelled.count > tokenizer.encode("hi").count)
  }

  @Test func specialTokensAreKnown() throws {
    let tokenizer = try Subject.tinyJSON.load()
    #expect([tokenizer.pad, tokenizer.eos, tokenizer.bos, tokenizer.unk] == [0, 1, 2, 3])
    #expect(tokenizer.piece(tokenizer.startOfTurn ?? -1) == "<start_of_turn>")
    #expect(tokenizer.piece(tokenizer.endOfTurn ?? -1) == "<end_of_turn>")
    #expect(tokenizer.isSpecial(tokenizer.bos))
    #expect(tokenizer.id(of: "\n\n").map { tokenizer.isSpecial($0) } == false)
    #expect(!tokenizer.isSpecial(-1) && !tokenizer.isSpecial(.max))
    #expect(tokenizer.piece(-1) == "<id -1>")
    #expect(tokenizer.id(of: "no such piece") == nil)
  }

  /// Composed and decomposed accents are equal as `String`s and different tokens.
  @Test(arguments: Subject.small)
  func accentsStayAsWritten(_ subject: Subject) throws {
    let tokenizer = try subject.load()
    let composed = tokenizer.id(of: "\u{E0}")
    let decomposed = tokenizer.id(of: "a\u{300}")
    #expect(composed != nil && decomposed != nil && composed != decomposed)
    #expect(tokenizer.encode("\u{E0}") != tokenizer.encode("a\u{300}"))
  }
}
