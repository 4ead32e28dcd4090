import Tokenization

/// A text as tokens, with what is known of each.
struct TokenizedText {
  let id: JSONValue?
  let source: String
  let ids: [Int32]
  /// Bytes of the text that each token stands for; nil without a tokenizer.
  let ranges: [Range<Int>]?
  /// Who speaks each token of a conversation, and in which turn.
  let speakers: [(role: String, turn: Int)]?

  var count: Int { ids.count }

  /// - Parameter vocabularySize: rows of the model's embedding; nil when no model will run.
  /// - Throws: `CommandError` for ids outside the vocabulary or a tokenizer that is missing, `TokenizerError`.
  init(_ input: InputText, tokenizer: LoadedTokenizer, vocabularySize: Int?) throws {
    id = input.id
    source = input.source
    switch input.content {
    case .tokens(let given):
      let limit = try vocabularySize ?? tokenizer.required().vocabularySize
      if let bad = given.first(where: { Int($0) >= limit }) {
        throw CommandError.input(source: source, reason: "id \(bad) is outside the vocabulary 0..<\(limit)")
      }
      ids = given
      ranges = tokenizer.value.map { DecodedText.ranges(of: given, tokenizer: $0) }
      speakers = nil
    case .text(let text):
      let encoding = try tokenizer.required().encodeWithRanges(text)
      ids = encoding.ids
      ranges = encoding.ranges
      speakers = nil
    case .chat(let chat):
      let encoding: ChatEncoding
      do {
        encoding = try tokenizer.required().encode(chat: chat)
      } catch TokenizerError.chat(let location, let reason) {
        throw CommandError.input(source: source, reason: "\(location): \(reason)")
      }
      ids = encoding.tokens.ids
      ranges = encoding.tokens.ranges
      speakers = zip(encoding.roles, encoding.turns).map { ($0.rawValue, $1) }
    }
  }
}

/// Writes tokens as every command's JSON has them.
struct TokenWriter {
  let tokenizer: GemmaTokenizer?

  /// The piece with spaces and control characters shown; the id where there is no tokenizer.
  func visible(_ id: Int32) -> String {
    tokenizer.map { VisibleText.piece($0.piece(id)) } ?? "\(id)"
  }

  func piece(_ id: Int32) -> JSONValue { tokenizer.map { .string($0.piece(id)) } ?? .null }

  /// What the token stands for in text.
  func text(_ id: Int32) -> JSONValue { (try? tokenizer?.decode([id])).map { .string($0) } ?? .null }

  /// `{"id","piece","text","start","end"}`, in conversations also `"role"` and `"turn"`.
  func json(_ text: TokenizedText) -> JSONValue { .array(text.ids.indices.map { json(text, at: $0) }) }

  /// Token `i` of `text`.
  private func json(_ text: TokenizedText, at i: Int) -> JSONValue {
    var members = members(text.ids[i], text.ranges?[i])
    if let speaker = text.speakers?[i] {
      members += [("role", .string(speaker.role)), ("turn", .integer(speaker.turn))]
    }
    return .object(members)
  }

  /// Tokens that were generated: no text to point into but their own.
  func json(_ ids: [Int32]) -> JSONValue {
    let ranges = tokenizer.map { DecodedText.ranges(of: ids, tokenizer: $0) }
    return .array(ids.indices.map { .object(members(ids[$0], ranges?[$0])) })
  }

  private func members(_ id: Int32, _ range: Range<Int>?) -> [(key: String, value: JSONValue)] {
    [
      ("id", .integer(Int(id))), ("piece", piece(id)), ("text", text(id)), ("start", .optional(range?.lowerBound)),
      ("end", .optional(range?.upperBound)),
    ]
  }

  /// Writes the document that holds nothing but the tokens of `text`, a few thousand at a time: as one value in memory
  /// a long text's would take hundreds of times its bytes.
  func write(_ text: TokenizedText) throws {
    try StandardOutput.write(JSONValue.document(id: text.id, []).text.dropLast() + ",\"tokens\":[")
    for start in stride(from: 0, to: text.count, by: Self.tokensPerWrite) {
      let piece = (start..<min(start + Self.tokensPerWrite, text.count)).map { json(text, at: $0).text }
      try StandardOutput.write((start > 0 ? "," : "") + piece.joined(separator: ","))
      try Interruption.check()
    }
    try StandardOutput.write("]}\n")
  }

  static let tokensPerWrite = 4096
}
