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

  /// A text without a space, too long to be listed: letters of `alphabet` chosen by `SeededRandom`, and of its tokens
  /// the count and the hash.
  struct Long: Decodable {
    let seed: UInt64
    let alphabet: String
    let scalars: Int
    let bytes: Int
    let count: Int
    let hash: String

    var text: String {
      var random = SeededRandom(seed: seed)
      let letters = Array(alphabet.unicodeScalars)
      var text = String.UnicodeScalarView()
      for _ in 0..<scalars { text.append(letters[Int(random.next() % UInt64(letters.count))]) }
      return String(text)
    }
  }

  let version: Int
  /// Hash of all pieces in order, each with a zero byte after it.
  let vocabulary: String
  let long: [Long]
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

/// FNV-1a, 64 bits, in hexadecimal digits.
struct FNVHash {
  private var value: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }

  /// Ids as little-endian 32 bits.
  mutating func add(_ ids: [Int32]) {
    for id in ids { withUnsafeBytes(of: id.littleEndian) { add($0) } }
  }

  var text: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  static func vocabulary(_ tokenizer: GemmaTokenizer) -> String {
    var hash = FNVHash()
    for id in 0..<Int32(tokenizer.vocabularySize) {
      hash.add(tokenizer.piece(id).utf8)
      hash.add(CollectionOfOne(0))
    }
    return hash.text
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
    let subject = Subject(name: model.lastPathComponent, goldens: "real") { try realTokenizer.get() }
    // A model whose tokenizer does not load is kept: its tests say why.
    if let tokenizer = try? subject.load(), let goldens = try? Goldens.read(subject.goldens),
      FNVHash.vocabulary(tokenizer) != goldens.vocabulary
    {
      print("\(model.path): another vocabulary than that of real-goldens.json: not compared with Hugging Face")
      return []
    }
    return [subject]
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
}
