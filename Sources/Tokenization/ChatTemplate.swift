/// Gemma 3's chat template: turns between `<start_of_turn>` and `<end_of_turn>`, user and model by turns, the system's
/// text before the first user turn's, contents trimmed but the system's.
///
/// Source: `chat_template` in `tokenizer_config.json` of the Gemma 3 instruction-tuned models.
public enum ChatTemplate {
  /// A stretch of rendered text with one author.
  struct Part: Equatable {
    var text: String
    var role: TokenRole
    var turn: Int
    /// Whether the text is a special token's, to be found as such whatever surrounds it.
    var isMarker = false
  }

  /// The text that `conversation` becomes, without the `<bos>` that comes before it.
  /// - Throws: `TokenizerError.chat`, as `GemmaTokenizer.encode(chat:specials:)`.
  public static func render(_ conversation: ChatConversation) throws -> String {
    try parts(conversation).map(\.text).joined()
  }

  static func parts(_ conversation: ChatConversation) throws -> [Part] {
    var messages = conversation.messages[...]
    guard let first = messages.first else {
      throw TokenizerError.chat(location: "messages", reason: "is empty")
    }
    var parts: [Part] = []
    let system = first.role == .system ? first.content : nil
    if system != nil {
      messages.removeFirst()
      guard !messages.isEmpty else {
        throw TokenizerError.chat(location: "messages", reason: "a system message needs a user message after it")
      }
    }
    for (turn, message) in messages.enumerated() {
      let expected: ChatMessage.Role = turn % 2 == 0 ? .user : .model
      guard message.role == expected else {
        throw TokenizerError.chat(
          location: "messages[\(turn + (system == nil ? 0 : 1))]",
          reason: "roles must alternate user/model/user/model after an optional first system message: "
            + "expected \(expected), found \(message.role)")
      }
      open(message.role, turn, &parts)
      if turn == 0, let system {
        parts.append(Part(text: system, role: .system, turn: turn))
        parts.append(Part(text: "\n\n", role: .template, turn: turn))
      }
      parts.append(
        Part(text: trimmed(message.content), role: message.role == .user ? .user : .model, turn: turn))
      parts.append(Part(text: "<end_of_turn>", role: .template, turn: turn, isMarker: true))
      parts.append(Part(text: "\n", role: .template, turn: turn))
    }
    if conversation.addGenerationPrompt {
      open(.model, messages.count, &parts)
      parts.append(Part(text: conversation.prefill, role: .model, turn: messages.count))
    } else if !conversation.prefill.isEmpty {
      throw TokenizerError.chat(location: "prefill", reason: "needs add_generation_prompt to be true")
    }
    return parts
  }

  private static func open(_ role: ChatMessage.Role, _ turn: Int, _ parts: inout [Part]) {
    parts.append(Part(text: "<start_of_turn>", role: .template, turn: turn, isMarker: true))
    parts.append(Part(text: "\(role.rawValue)\n", role: .template, turn: turn))
  }

  /// `text` without white space at its ends, as Jinja's `trim` sees it: Unicode's, and the four separators U+001C to
  /// U+001F that Python counts too.
  static func trimmed(_ text: String) -> String {
    func isSpace(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }
    let scalars = text.unicodeScalars
    guard let start = scalars.firstIndex(where: { !isSpace($0) }),
      let last = scalars.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(scalars[start...last])
  }
}
