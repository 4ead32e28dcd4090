import Checkpoints
import Foundation
import TestSupport
import Testing
import Tokenization

@Suite struct GGUFVocabularyTests {
  /// The least vocabulary that loads, and `more` after it.
  private func load(
    _ more: [(String, Int)] = [], without: String? = nil, bytes: [[UInt8]] = []
  ) throws -> GemmaTokenizer {
    var entries: [(String, Int)] = [("<pad>", 3), ("<eos>", 3), ("<bos>", 3), ("<unk>", 2), ("\u{2581}", 1)]
    for value in 0..<256 {
      entries.append(("<0x\(value < 16 ? "0" : "")\(String(value, radix: 16, uppercase: true))>", 6))
    }
    entries += more
    entries.removeAll { $0.0 == without }
    return try GemmaTokenizer(
      pieces: entries.map { Array($0.0.utf8) } + bytes, types: entries.map(\.1) + bytes.map { _ in 1 }, file: "m.gguf")
  }

  private struct Cases: Decodable {
    struct Case: Decodable {
      let text: String
      let ids: [Int32]
    }
    let cases: [Case]
  }

  /// A whole tiny model's vocabulary gives the ids that transformers gives for it.
  @Test(arguments: ["tiny-f32.gguf", "tiny-q8_0.gguf"])
  func idsAreTransformers(_ file: String) throws {
    let tokenizer = try GemmaTokenizer(gguf: GGUFFile(Fixtures.url("gguf/\(file)")))
    let json = try Data(contentsOf: Fixtures.url("gguf/tokenizer-cases.json"))
    let cases = try JSONDecoder().decode(Cases.self, from: json).cases
    #expect(cases.count == 10)
    for entry in cases { #expect(tokenizer.encode(entry.text) == entry.ids, "\(entry.text.debugDescription)") }
  }

  @Test func lowerIdsMergeFirstThenLongerLeftParts() throws {
    let tokenizer = try load([("a", 1), ("b", 1), ("c", 1), ("bc", 1), ("ab", 1), ("abc", 1), ("aa", 1), ("aaa", 1)])
    func pieces(_ text: String) -> [String] { tokenizer.encode(text, addBOS: false).map { tokenizer.piece($0) } }
    #expect(pieces("abc") == ["abc"])
    #expect(pieces("abcab") == ["abc", "ab"])
    #expect(pieces("aaaa") == ["aa", "aa"])
    #expect(pieces("aaaaa") == ["aa", "aaa"])
  }

  @Test func runsOfSpacesAreRespelled() throws {
    let tokenizer = try load([("  ", 4), ("    ", 4), ("\u{2581}a", 1), ("a", 1)])
    #expect(tokenizer.piece(261) == "\u{2581}\u{2581}")
    #expect(tokenizer.encode("    a", addBOS: false) == [262, 264])
  }

  @Test func specialPiecesAreNotMadeByMerging() throws {
    let tokenizer = try load([("<", 1), ("x", 1), (">", 1), ("<x", 1), ("<x>", 3)])
    #expect(tokenizer.encode("<x>", addBOS: false) == [265])
    #expect(tokenizer.encode("<x>", addBOS: false, specials: .asText) == [264, 263])
  }

  @Test func faultsAreNamed() throws {
    func fault(_ more: [(String, Int)] = [], without: String? = nil, bytes: [[UInt8]] = []) -> String? {
      do {
        _ = try load(more, without: without, bytes: bytes)
        return nil
      } catch TokenizerError.invalid(_, let field, let reason) {
        return "\(field) \(reason)"
      } catch {
        return "\(error)"
      }
    }
    let field = "tokenizer.ggml.tokens"
    #expect(fault() == nil)
    #expect(fault(without: "<0x41>") == "\(field) has no byte piece '<0x41>'")
    #expect(fault(without: "<bos>") == "\(field) has no piece '<bos>'")
    #expect(fault(without: "\u{2581}") == "\(field) has no piece '\u{2581}'")
    #expect(fault([("x", 1), ("x", 1)]) == "\(field) piece 'x' has two ids, 261 and 262")
    #expect(fault([("", 1)]) == "\(field) the piece of id 261 is empty")
    #expect(fault([(" ", 1)]) == "\(field) piece '\u{2581}' has two ids, 4 and 261")
    #expect(fault([(String(repeating: "x", count: 1024), 1)])?.contains("1024 bytes") == true)
    // Cut short, overlong, a surrogate, beyond the last scalar, a lone continuation.
    let broken: [[UInt8]] = [
      [0xC3], [0x61, 0xE2, 0x96], [0xC1, 0x81], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x80], [0x61, 0xFF],
    ]
    for bytes in broken {
      #expect(fault([("é", 1)], bytes: [bytes]) == "\(field) the piece of id 262 is not UTF-8", "\(bytes)")
    }
    #expect(throws: TokenizerError.self) { try GemmaTokenizer(pieces: [[0x41]], types: [], file: "m.gguf") }
    #expect(throws: TokenizerError.self) { try GemmaTokenizer(pieces: [], types: [], file: "m.gguf") }
    // A vocabulary without turn marks loads and has no chat.
    #expect(throws: TokenizerError.self) { try load().encode(chat: ChatConversation([ChatMessage(.user, "x")])) }
  }

  /// More pieces with a space inside than are worth checking at every cut: the text is not cut, and ids stay right.
  @Test func manyPiecesAcrossSpaces() throws {
    let letters = (97..<123).map { String(UnicodeScalar(UInt8($0))) }
    var more = letters.map { ($0, 1) }
    for a in letters {
      more.append(("\(a)\u{2581}", 1))
      for b in letters.prefix(4) { more.append(("\(a)\u{2581}\(b)", 1)) }
    }
    let tokenizer = try load(more)
    let ids = tokenizer.encode("q d z z b q d", addBOS: false).map { tokenizer.piece($0) }
    // "b " and "d " come before "q " and "z " in the vocabulary and take their spaces first.
    #expect(ids == ["q\u{2581}", "d\u{2581}", "z\u{2581}", "z\u{2581}", "b\u{2581}", "q\u{2581}d"])
  }
}
