import Checkpoints
import Foundation
import TestSupport
import Testing
import Tokenization

/// Files that are broken, lie, or are of another tokenizer: one error each that names the field.
@Suite struct HostileFileTests {
  private static let file = "t.json"

  private static func load(_ json: some Sequence<UInt8>) throws -> GemmaTokenizer {
    try Array(json).withUnsafeBytes { try GemmaTokenizer(json: $0, file: file) }
  }

  /// The tiny tokenizer with `change` made to it.
  private static func load(_ change: (inout JSONFields) throws -> Void) throws -> GemmaTokenizer {
    var fields = try JSONFields(Data(contentsOf: Fixtures.url("tokenizer/tiny.json")))
    try change(&fields)
    return try load(fields.json.utf8)
  }

  /// A field, by its path, and the JSON value put there; nil takes it out.
  struct Change: CustomTestStringConvertible, Sendable {
    let path: [String]
    let json: String?
    let field: String

    init(_ path: String, _ json: String?, field: String? = nil) {
      self.path = path.split(separator: ".").map(String.init)
      self.json = json
      self.field = field ?? path
    }

    var testDescription: String { "\(path.joined(separator: ".")): \(json ?? "left out")" }

    func apply(_ fields: inout JSONFields) throws {
      guard path.count == 2 else {
        fields[path[0]] = json
        return
      }
      var model = try JSONFields(Data((fields[path[0]] ?? "{}").utf8))
      model[path[1]] = json
      fields[path[0]] = model.json
    }
  }

  @Test(arguments: [
    Change("normalizer", "null"), Change("normalizer", nil), Change("normalizer", #"{"type":"NFKC"}"#),
    Change("pre_tokenizer", #"{"type":"ByteLevel"}"#), Change("decoder", #"{"type":"ByteLevel"}"#),
    Change("decoder", nil), Change("model.type", #""Unigram""#), Change("model.type", nil),
    Change("model.byte_fallback", "false"), Change("model.byte_fallback", nil), Change("model.dropout", "0.5"),
    Change("model.unk_token", #""[UNK]""#), Change("model.continuing_subword_prefix", "\"@@\""),
    Change("model.end_of_word_suffix", #""</w>""#), Change("model.ignore_merges", "true"), Change("model", nil),
    Change("model.vocab", nil), Change("model.vocab", "{}", field: "model.merges[0]"),
    Change("model.vocab", #"{"a":-1}"#), Change("model.vocab", #"{"a":1099511627776}"#),
    Change("model.vocab", #"{"a":4194304}"#), Change("model.vocab", #"{"":0}"#),
    Change("model.vocab", #"{"a":1,"b":1}"#), Change("model.merges", nil),
    Change("model.merges", #"[["<","no such piece"]]"#, field: "model.merges[0]"),
    Change("model.merges", #"["< /","nothing"]"#, field: "model.merges[1]"),
    Change("model.merges", #"[["<","/"],["<","/"]]"#, field: "model.merges[1]"),
    Change("model.merges", #"[["<"]]"#, field: "model.merges[0]"),
    Change("model.merges", #"[["<","/","b"]]"#, field: "model.merges[0]"),
    Change("model.merges", #"[["","<"]]"#, field: "model.merges[0]"),
    Change("model.merges", "[[]]", field: "model.merges[0]"),
    Change("model.merges", #"[["b","<"]]"#, field: "model.merges[0]"), Change("added_tokens", nil),
    Change("added_tokens", #"[{"id":0,"content":"","special":true}]"#, field: "added_tokens[0]"),
    Change("added_tokens", #"[{"content":"<pad>","special":true}]"#, field: "added_tokens[0]"),
    Change("added_tokens", #"[{"id":1,"content":"<pad>","special":true}]"#, field: "added_tokens[0]"),
    Change("added_tokens", #"[{"id":0,"content":"<pad>"},{"id":0,"content":"<pad>"}]"#, field: "added_tokens[1]"),
    Change("added_tokens", #"[{"id":1073741824,"content":"new"}]"#, field: "added_tokens[0]"),
    Change("added_tokens", #"[{"id":4000,"content":"new"}]"#, field: "model.vocab"),
    Change("added_tokens", #"[{"id":0,"content":"new"}]"#, field: "added_tokens[0]"),
    Change("added_tokens", #"[{"id":0,"content":"<pad>","lstrip":true}]"#, field: "added_tokens[0].lstrip"),
    Change("added_tokens", #"[{"id":0,"content":"<pad>","normalized":true}]"#, field: "added_tokens[0].normalized"),
    Change("added_tokens", #"[{"id":0,"content":"<pad>","single_word":true}]"#, field: "added_tokens[0].single_word"),
    Change("added_tokens", #"[{"id":0,"content":"<pad>","special":true}]"#),
    // The wrong type of value.
    Change("model", "[]"), Change("model.vocab", "[]"), Change("model.vocab", #"{"a":"0"}"#),
    Change("model.merges", "{}"), Change("model.merges", "[7]", field: "model.merges[0]"),
    Change("model.merges", "[[1,2]]", field: "model.merges[0]"), Change("added_tokens", "{}"),
    Change("added_tokens", "[1]", field: "added_tokens[0]"),
    Change("added_tokens", #"[{"id":"0"}]"#, field: "added_tokens[0].id"),
    Change("added_tokens", #"[{"id":0,"content":7}]"#, field: "added_tokens[0].content"),
    Change("added_tokens", #"[{"id":0,"content":"<pad>","special":1}]"#, field: "added_tokens[0].special"),
    Change("added_tokens", #"[{"id":0,"content":"<pad>","rstrip":"no"}]"#, field: "added_tokens[0].rstrip"),
    // A token that is looked for at every place of a text.
    Change(
      "added_tokens", "[{\"id\":0,\"content\":\"\(String(repeating: "a", count: 1024))\"}]", field: "added_tokens[0]"),
    // What is done to texts and tokens besides.
    Change("truncation", #"{"max_length":512,"strategy":"LongestFirst","stride":0,"direction":"Right"}"#),
    Change("padding", #"{"strategy":"BatchLongest","pad_id":0}"#), Change("post_processor", "[]"),
    Change("post_processor", "{}", field: "post_processor.type"),
    Change("post_processor.type", #""ByteLevel""#),
    Change("post_processor.single", nil),
    Change("post_processor.single", #"[{"Sequence":{"id":"A","type_id":0}}]"#),
    Change(
      "post_processor.single",
      #"[{"SpecialToken":{"id":"<bos>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},"#
        + #"{"SpecialToken":{"id":"<eos>","type_id":0}}]"#),
    Change("post_processor.special_tokens", nil),
    Change("post_processor.special_tokens", #"{"<bos>":{"id":"<bos>","ids":[3],"tokens":["<bos>"]}}"#),
  ])
  func fieldsAreNamed(_ change: Change) throws {
    do {
      _ = try Self.load(change.apply)
      Issue.record("was taken")
    } catch TokenizerError.invalid(let file, let field, _) {
      #expect(field == change.field && file == Self.file)
    } catch TokenizerError.unsupported(let file, let field, _, _) {
      #expect(field == change.field && file == Self.file)
    }
  }

  @Test func missingBytePiece() throws {
    #expect(throws: TokenizerError.invalid(file: Self.file, field: "model.vocab", reason: "has no byte piece '<0x0A>'"))
    {
      try Self.load { $0["model"] = $0["model"]?.replacing("\"<0x0A>\"", with: "\"<0x0G>\"") }
    }
  }

  @Test func fieldsGivenTwice() {
    #expect(throws: TokenizerError.invalid(file: Self.file, field: "decoder", reason: "is given twice")) {
      let decoder =
        #""decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},"#
        + #"{"type":"ByteFallback"},{"type":"Fuse"}]}"#
      _ = try Self.load("{\(decoder),\(decoder)}".utf8)
    }
  }

  /// Older forms and orders that mean the same.
  @Test func equivalentFilesAreTaken() throws {
    let plain = try Subject.tinyJSON.load()
    let text = "The quick <b>brown</b> fox\n\n  <start_of_turn>"
    let spelled = try Self.load { fields in
      var model = try JSONFields(Data((fields["model"] ?? "").utf8))
      // ["a","b"] as "a b"; no piece of the fixture holds a quote or a bracket beside a comma.
      model["merges"] = model["merges"]?.replacing(/\s*\[\s*("(?:[^"\\]|\\.)*)"\s*,\s*"((?:[^"\\]|\\.)*")\s*\]/) {
        "\($0.1) \($0.2)"
      }
      model["ignore_merges"] = nil
      fields["model"] = model.json
      fields["pre_tokenizer"] = "null"
    }
    #expect(spelled.encode(text) == plain.encode(text))
    for processor in [nil, "null"] {
      let bare = try Self.load {
        $0["post_processor"] = processor
        $0["truncation"] = nil
        $0["padding"] = nil
      }
      #expect(bare.encode(text) == plain.encode(text))
    }
    let size = plain.vocabularySize
    let extended = try Self.load { fields in
      let token = ",{\"id\":\(size),\"content\":\"<image_soft_token>\",\"special\":true}]"
      fields["added_tokens"] = fields["added_tokens"].map { $0.dropLast() + token }
    }
    #expect(extended.vocabularySize == size + 1)
    #expect(extended.encode("<image_soft_token>").last == Int32(size))
    // Merges may stand before the vocabulary they name.
    let reordered = try Self.load { fields in
      var model = try JSONFields(Data((fields["model"] ?? "").utf8))
      model.members.reverse()
      fields["model"] = model.json
    }
    #expect(reordered.encode(text) == plain.encode(text))
  }

  @Test func truncatedAnywhere() throws {
    let data = try Data(contentsOf: Fixtures.url("tokenizer/tiny.json"))
    for end in stride(from: 0, to: data.count - 2, by: 37) {
      #expect(throws: TokenizerError.self) { try Self.load(data[..<end]) }
    }
  }

  /// Bytes changed at random: refused, or loaded and then able to encode.
  @Test func corruptedAnywhere() throws {
    let data = Array(try Data(contentsOf: Fixtures.url("tokenizer/tiny.json")))
    var random = SeededRandom(seed: 9)
    for _ in 0..<300 {
      var bytes = data
      for _ in 0..<random.int(1...6) { bytes[random.int(0...bytes.count - 1)] = UInt8(random.int(0...255)) }
      do {
        let tokenizer = try Self.load(bytes)
        let text = "The <b>end</b> of\u{2581} it\n\n."
        #expect(tokenizer.encodeWithRanges(text).ranges.last?.upperBound == text.utf8.count)
      } catch is TokenizerError {}
    }
  }

  @Test func missingFiles() throws {
    let folder = try TemporaryDirectory()
    #expect(throws: TokenizerError.self) { try GemmaTokenizer(contentsOf: folder.url.appending(path: "none.json")) }
    #expect(throws: TokenizerError.self) { try GemmaTokenizer(contentsOf: folder.url) }
    let empty = try folder.write([], as: "empty.json")
    #expect(throws: TokenizerError.self) { try GemmaTokenizer(contentsOf: empty) }
    _ = try folder.write(Data(contentsOf: Fixtures.url("tokenizer/tiny.json")), as: "tokenizer.json")
    #expect(try GemmaTokenizer(contentsOf: folder.url).vocabularySize > 256)
  }
}

/// The members of a JSON object with their values as written. `JSONSerialization` would lose pieces that are equal
/// under canonical equivalence.
struct JSONFields {
  var members: [(key: String, value: String)] = []

  init(_ data: Data) throws {
    try Array(data).withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      try scanner.object { key, scanner in
        let start = scanner.offset
        try scanner.skipValue()
        members.append((key, String(decoding: bytes[start..<scanner.offset], as: UTF8.self)))
      }
    }
  }

  subscript(key: String) -> String? {
    get { members.first { $0.key == key }?.value }
    set {
      let index = members.firstIndex { $0.key == key }
      if let index { members.remove(at: index) }
      if let newValue { members.insert((key, newValue), at: index ?? members.count) }
    }
  }

  var json: String { "{" + members.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}" }
}
