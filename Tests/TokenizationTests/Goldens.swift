import Checkpoints
import Foundation
import TestSupport
import Testing
import Tokenization

/// What Hugging Face makes of the corpus, as `Tools/make_tokenizer_fixtures.py` writes it. Ids are without `<bos>`.
struct Goldens: Decodable {
  struct Text: Decodable {
    let text: String
    let ids: [Int32]
    let asText: [Int32]?
  }

  struct Invalid: Decodable {
    let hex: String
    let text: String
    let ids: [Int32]

    var bytes: [UInt8] {
      let digits = Array(hex)
      return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    }
  }

  struct Chat: Decodable {
    struct Conversation: Codable {
      struct Message: Codable {
        let role: String
        let content: String
      }
      let messages: [Message]
      let addGenerationPrompt: Bool?
      let prefill: String?
    }
    let chat: Conversation
    let text: String
    let ids: [Int32]
  }

  let version: Int
  let texts: [Text]
  let invalid: [Invalid]
  let chats: [Chat]

  static func read(_ name: String) throws -> Goldens {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let goldens = try decoder.decode(
      Goldens.self, from: Data(contentsOf: Fixtures.url("tokenizer/\(name)-goldens.json")))
    guard goldens.version == 1 else { throw CocoaError(.fileReadCorruptFile) }
    return goldens
  }
}

/// A tokenizer and its goldens. The real one is nil where no real model is at hand.
struct Subject: CustomTestStringConvertible, Sendable {
  let name: String
  let goldens: String
  let load: @Sendable () throws -> GemmaTokenizer

  var testDescription: String { name }

  static let tinyJSON = Subject(name: "tiny.json", goldens: "tiny") { try fixture("tiny.json") }
  static let tinyGGUF = Subject(name: "tiny.gguf", goldens: "tiny") { try fixture("tiny.gguf") }
  static let scrambled = Subject(name: "scrambled.json", goldens: "scrambled") { try fixture("scrambled.json") }
  static let small = [tinyJSON, tinyGGUF, scrambled]

  static let real: [Subject] = {
    guard let model = Fixtures.realModel else {
      print("no real model: set GSCOPE_MODEL or run `make demo` to compare the real vocabulary with Hugging Face")
      return []
    }
    return [Subject(name: model.lastPathComponent, goldens: "real") { try real(model) }]
  }()

  static let all = small + real

  private static func fixture(_ name: String) throws -> GemmaTokenizer {
    let url = Fixtures.url("tokenizer/\(name)")
    return name.hasSuffix(".gguf") ? try GemmaTokenizer(gguf: GGUFFile(url)) : try GemmaTokenizer(contentsOf: url)
  }

  private static let realTokenizer = Result {
    let model = Fixtures.realModel ?? URL(filePath: "/")
    return try model.pathExtension == "gguf"
      ? GemmaTokenizer(gguf: GGUFFile(model)) : GemmaTokenizer(contentsOf: model)
  }

  private static func real(_ model: URL) throws -> GemmaTokenizer { try realTokenizer.get() }
}
