/// Who wrote a token of a chat prompt.
public enum TokenRole: String, Sendable {
  /// The text of the system's message.
  case system
  /// The text of a user's message.
  case user
  /// The text of a model's message, or the opened turn's prefill.
  case model
  /// The template: `<bos>`, turn marks, role names, the line breaks between.
  case template
}

/// A rendered conversation and its tokens.
public struct ChatEncoding: Equatable, Sendable {
  /// The rendered text, without `<bos>`.
  public var text: String
  /// Tokens, the first `<bos>`, with their byte ranges in `text`.
  public var tokens: GemmaTokenizer.Encoding
  /// The author of each token. One that spans two authors' text counts for the first.
  public var roles: [TokenRole]
  /// The turn of each token, from 0, a turn mark with the turn it opens or closes; `<bos>` is in turn 0.
  public var turns: [Int]
}

extension GemmaTokenizer {
  /// The tokens of a conversation under Gemma 3's chat template, with one `<bos>` in front.
  ///
  /// For contents without the text of special tokens these are the tokens of the whole rendered text, as Hugging
  /// Face's `apply_chat_template` gives them.
  ///
  /// - Parameter specials: What becomes of special tokens spelled in messages. With `asText`, no message can end its
  ///   turn or begin another's. With `parse`, a `<bos>` in a message becomes the token where it stands; it cannot come
  ///   second, for a turn mark always does.
  /// - Throws: `TokenizerError.chat` when roles do not alternate, or the vocabulary has no turn marks.
  public func encode(chat conversation: ChatConversation, specials: Specials = .asText) throws -> ChatEncoding {
    guard let startOfTurn, let endOfTurn else {
      throw TokenizerError.chat(
        location: "vocabulary", reason: "has no <start_of_turn> and <end_of_turn>: the model is not made for chat")
    }
    let parts = try ChatTemplate.parts(conversation)
    var result = ChatEncoding(
      text: parts.map(\.text).joined(), tokens: Encoding(ids: [bos], ranges: [0..<0]), roles: [.template],
      turns: [0])
    var first = 0
    var offset = 0
    while first < parts.count {
      // Text between two marks is one stretch for the tokenizer: line breaks of template and message may join.
      let run = parts[first].isMarker ? 1 : parts[first...].prefix { !$0.isMarker }.count
      let stretch = parts[first..<first + run]
      var text = stretch.map(\.text).joined()
      text.withUTF8 { text in
        var ids: [Int32] = []
        if parts[first].isMarker {
          ids = [parts[first].text == "<start_of_turn>" ? startOfTurn : endOfTurn]
        } else {
          withWorkspace { append(text, specials: specials, to: &ids, using: &$0) }
        }
        result.tokens.ids += ids
        appendRanges(of: ids[...], in: text, from: offset, to: &result.tokens.ranges)
        offset += text.count
      }
      result.attribute(stretch, endingAt: offset)
      first += run
    }
    return result
  }
}

extension ChatEncoding {
  /// Adds roles and turns of the tokens that have none yet, which lie in `stretch`.
  fileprivate mutating func attribute(_ stretch: ArraySlice<ChatTemplate.Part>, endingAt end: Int) {
    var part = stretch.startIndex
    var partEnd = end - stretch.reduce(0) { $0 + $1.text.utf8.count } + stretch[part].text.utf8.count
    for index in roles.count..<tokens.ids.count {
      while tokens.ranges[index].lowerBound >= partEnd, part + 1 < stretch.endIndex {
        part += 1
        partEnd += stretch[part].text.utf8.count
      }
      roles.append(stretch[part].role)
      turns.append(stretch[part].turn)
    }
  }
}
