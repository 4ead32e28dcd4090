import Checkpoints
import Foundation

/// One message of a conversation.
public struct ChatMessage: Equatable, Sendable {
  /// Who speaks. Gemma 3 has no turn for the system: its text goes into the first user turn.
  public enum Role: String, Sendable {
    /// Whoever set the conversation up; only the first message can be theirs.
    case system
    /// Whoever talks with the model.
    case user
    /// The model.
    case model
  }

  /// Who wrote it.
  public var role: Role
  /// What was written, as it was: white space at the ends is trimmed when the conversation is rendered.
  public var content: String

  /// A message of one part of text.
  public init(_ role: Role, _ content: String) {
    self.role = role
    self.content = content
  }
}

/// A conversation to be put to the model.
public struct ChatConversation: Equatable, Sendable {
  /// First the system's, where there is one, then user and model by turns.
  public var messages: [ChatMessage]
  /// Whether a model turn is opened at the end, for the model to write.
  public var addGenerationPrompt: Bool
  /// How the opened turn begins; the model goes on from here.
  public var prefill: String

  /// A conversation; whether its roles alternate as they must is found out when it is rendered or encoded.
  public init(_ messages: [ChatMessage], addGenerationPrompt: Bool = true, prefill: String = "") {
    self.messages = messages
    self.addGenerationPrompt = addGenerationPrompt
    self.prefill = prefill
  }

  /// Reads `{"messages":[{"role","content"}],"add_generation_prompt":true,"prefill":"…"}`.
  ///
  /// Roles are `system`, `user`, `model` and, for the last, `assistant`. Content is a string or a list of
  /// `{"type":"text","text"}`. `add_generation_prompt` is false where it is left out and there is no `prefill`.
  /// - Throws: `TokenizerError.chat` naming the message and key.
  public init(json: some Collection<UInt8>) throws {
    var reader = ChatReader()
    do {
      self = try Array(json).withUnsafeBytes { try reader.read($0) }
    } catch let error as JSONError {
      throw TokenizerError.chat(location: "JSON", reason: error.description)
    }
  }
}

/// Reads the JSON of a conversation.
private struct ChatReader {
  private var messages: [ChatMessage]?
  private var generation: Bool?
  private var prefill: String?

  mutating func read(_ bytes: UnsafeRawBufferPointer) throws -> ChatConversation {
    var scanner = JSONScanner(bytes)
    guard try scanner.peek() == .object else {
      throw TokenizerError.chat(location: "JSON", reason: "expected an object with \"messages\"")
    }
    var keys = SeenKeys()
    try scanner.object { key, scanner in
      try keys.once(key, key)
      switch key {
      case "messages": messages = try Self.messages(&scanner)
      case "add_generation_prompt":
        guard try scanner.peek() == .bool else {
          throw TokenizerError.chat(location: key, reason: "expected true or false")
        }
        generation = try scanner.bool()
      case "prefill": prefill = try Self.string(&scanner, key)
      default: try scanner.skipValue()
      }
    }
    try scanner.end()
    guard let messages else { throw TokenizerError.chat(location: "messages", reason: "is missing") }
    return ChatConversation(
      messages, addGenerationPrompt: generation ?? (prefill?.isEmpty == false), prefill: prefill ?? "")
  }

  private static func messages(_ scanner: inout JSONScanner) throws -> [ChatMessage] {
    guard try scanner.peek() == .array else {
      throw TokenizerError.chat(location: "messages", reason: "expected a list")
    }
    var messages: [ChatMessage] = []
    try scanner.array { messages.append(try message(&$0, "messages[\(messages.count)]")) }
    return messages
  }

  private static func message(_ scanner: inout JSONScanner, _ location: String) throws -> ChatMessage {
    guard try scanner.peek() == .object else {
      throw TokenizerError.chat(location: location, reason: "expected an object with \"role\" and \"content\"")
    }
    var role: ChatMessage.Role?
    var parts: [String]?
    var keys = SeenKeys()
    try scanner.object { key, scanner in
      try keys.once(key, "\(location).\(key)")
      switch key {
      case "role":
        let name = try string(&scanner, "\(location).role")
        role = name == "assistant" ? .model : ChatMessage.Role(rawValue: name)
        guard role != nil else {
          throw TokenizerError.chat(
            location: "\(location).role",
            reason: "'\(name.prefix(40))' is not one of system, user, model, assistant")
        }
      case "content": parts = try content(&scanner, "\(location).content")
      default: try scanner.skipValue()
      }
    }
    guard let role else { throw TokenizerError.chat(location: "\(location).role", reason: "is missing") }
    guard let parts else { throw TokenizerError.chat(location: "\(location).content", reason: "is missing") }
    if role == .system {
      // The template takes the first part alone and would lose the others.
      guard parts.count == 1 else {
        throw TokenizerError.chat(location: "\(location).content", reason: "a system message has one part of text")
      }
      return ChatMessage(role, parts[0])
    }
    return ChatMessage(role, parts.count == 1 ? parts[0] : parts.map(ChatTemplate.trimmed).joined())
  }

  private static func content(_ scanner: inout JSONScanner, _ location: String) throws -> [String] {
    guard try scanner.peek() == .array else { return [try string(&scanner, location)] }
    var parts: [String] = []
    try scanner.array { scanner in
      let location = "\(location)[\(parts.count)]"
      var type = ""
      var text: String?
      guard try scanner.peek() == .object else {
        throw TokenizerError.chat(location: location, reason: "expected an object with \"type\" and \"text\"")
      }
      var keys = SeenKeys()
      try scanner.object { key, scanner in
        try keys.once(key, "\(location).\(key)")
        switch key {
        case "type": type = try string(&scanner, "\(location).type")
        case "text": text = try string(&scanner, "\(location).text")
        default: try scanner.skipValue()
        }
      }
      guard type == "text", let text else {
        throw TokenizerError.chat(location: location, reason: "expected a part of type \"text\"")
      }
      parts.append(text)
    }
    return parts
  }

  private static func string(_ scanner: inout JSONScanner, _ location: String) throws -> String {
    guard try scanner.peek() == .string else {
      throw TokenizerError.chat(location: location, reason: "expected a string")
    }
    return try scanner.string()
  }

  /// The keys of one object so far: of two that are equal, which one counts is a guess.
  private struct SeenKeys {
    private var keys: Set<String> = []

    mutating func once(_ key: String, _ location: String) throws {
      guard keys.insert(key).inserted else {
        throw TokenizerError.chat(location: String(location.prefix(80)), reason: "is given twice")
      }
    }
  }
}
