import Tokenization

extension ChatRequest {
  /// The conversation in Gemma's chat format, with the speaker and turn of every token.
  func tokens(_ tokenizer: GemmaTokenizer, source: String) throws -> (
    [Int32], [Range<Int>]?, [(role: String, turn: Int)]?
  ) {
    throw CommandError.input(source: source, reason: "conversations are not available in this version")
  }
}
