import Checkpoints
import Tokenization

/// One text as it was given, before a tokenizer saw it.
struct InputText {
  enum Content {
    case text(String)
    case tokens([Int32])
    case chat(ChatRequest)
  }

  /// Of one text among many.
  let id: JSONValue?
  /// Names it in errors: a flag, a file, a line.
  let source: String
  let content: Content
}

/// Hands out the texts of a `TextOptions` one after another; lines of a JSONL file are read as they are wanted.
final class InputReader {
  private var single: InputText?
  private let lines: LineReader?
  private var lineNumber = 0
  private var count = 0

  /// - Throws: `CommandError` for a file that cannot be read or holds nothing.
  init(_ source: TextOptions.Source) throws {
    switch source {
    case .text(let text):
      single = InputText(id: nil, source: "--text", content: .text(text))
      lines = nil
    case .tokens(let ids):
      single = InputText(id: nil, source: "--tokens", content: .tokens(ids))
      lines = nil
    case .file(let path):
      let reader = try LineReader(path)
      let bytes = try reader.all()
      guard !bytes.isEmpty else { throw CommandError.input(source: reader.path, reason: "is empty") }
      single = InputText(id: nil, source: reader.path, content: .text(String(decoding: bytes, as: UTF8.self)))
      lines = nil
    case .chat(let path):
      let reader = try LineReader(path)
      let bytes = try reader.all()
      let chat = try bytes.withUnsafeBytes { try InputRecord.chat($0, source: reader.path) }
      single = InputText(id: nil, source: reader.path, content: .chat(chat))
      lines = nil
    case .texts(let path):
      single = nil
      lines = try LineReader(path)
    }
  }

  /// The next text, or nil after the last.
  /// - Throws: `CommandError.input` naming the line at fault.
  func next() throws -> InputText? {
    guard let lines else {
      defer { single = nil }
      return single
    }
    while let line = try lines.next() {
      lineNumber += 1
      guard line.contains(where: { $0 > UInt8(ascii: " ") }) else { continue }
      count += 1
      return try line.withUnsafeBytes { try InputRecord.text($0, source: "\(lines.path) line \(lineNumber)") }
    }
    guard count > 0 else { throw CommandError.input(source: lines.path, reason: "holds no text") }
    return nil
  }
}

/// JSON that describes texts.
enum InputRecord {
  /// `{"id","text"}` or `{"id","messages",…}`.
  static func text(_ bytes: UnsafeRawBufferPointer, source: String) throws -> InputText {
    var id: JSONValue?
    var text: String?
    let chat = try read(bytes, source: source) { key, scanner in
      switch key {
      case "id":
        switch try scanner.peek() {
        case .string: id = .string(try scanner.string())
        case .number: id = .integer(try scanner.integer())
        default: throw scanner.error("'id' is neither a string nor a whole number")
        }
      case "text": text = try scanner.string()
      default: return false
      }
      return true
    }
    guard let id else { throw CommandError.input(source: source, reason: "'id' is missing") }
    switch (text, chat) {
    case (let text?, nil):
      guard !text.isEmpty else { throw CommandError.input(source: source, reason: "'text' is empty") }
      return InputText(id: id, source: source, content: .text(text))
    case (nil, let chat?): return InputText(id: id, source: source, content: .chat(chat))
    default: throw CommandError.input(source: source, reason: "expected either 'text' or 'messages'")
    }
  }

  static func chat(_ bytes: UnsafeRawBufferPointer, source: String) throws -> ChatRequest {
    guard let chat = try read(bytes, source: source, other: { _, _ in false }) else {
      throw CommandError.input(source: source, reason: "'messages' is missing")
    }
    return chat
  }

  /// Reads an object; keys that are not a conversation's go to `other`, which says whether it knows them. Nil when there
  /// are no messages.
  private static func read(
    _ bytes: UnsafeRawBufferPointer, source: String, other: (String, inout JSONScanner) throws -> Bool
  ) throws -> ChatRequest? {
    var messages: [ChatRequest.Message]?
    var chat = ChatRequest(messages: [])
    do {
      var scanner = JSONScanner(bytes)
      try scanner.object { key, scanner in
        switch key {
        case "messages":
          var list: [ChatRequest.Message] = []
          try scanner.array { try list.append(message(&$0)) }
          messages = list
        case "add_generation_prompt": chat.addsGenerationPrompt = try scanner.bool()
        case "prefill": chat.prefill = try scanner.string()
        default: if try !other(key, &scanner) { try scanner.skipValue() }
        }
      }
      try scanner.end()
    } catch let error as JSONError {
      throw CommandError.input(source: source, reason: "is not the JSON expected: \(error)")
    }
    guard let messages else { return nil }
    chat.messages = messages
    return chat
  }

  private static func message(_ scanner: inout JSONScanner) throws -> ChatRequest.Message {
    var role: String?
    var content: String?
    try scanner.object { key, scanner in
      switch key {
      case "role": role = try scanner.string()
      case "content": content = try scanner.string()
      default: try scanner.skipValue()
      }
    }
    guard let role, let content else { throw scanner.error("a message lacks 'role' or 'content'") }
    return .init(role: role, content: content)
  }
}

/// A conversation as the user wrote it: `{"messages":[{"role","content"}],"add_generation_prompt":true,"prefill":"…"}`.
struct ChatRequest {
  struct Message {
    let role: String
    let content: String
  }

  var messages: [Message]
  var addsGenerationPrompt: Bool?
  var prefill: String?
}
