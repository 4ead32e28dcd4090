import Checkpoints
import Tokenization

/// One text as it was given, before a tokenizer saw it.
struct InputText {
  enum Content {
    case text(String)
    case tokens([Int32])
    case chat(ChatConversation)
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
      let chat = try InputRecord.chat(try reader.all(), source: reader.path)
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
      return try InputRecord.text(line, source: "\(lines.path) line \(lineNumber)")
    }
    guard count > 0 else { throw CommandError.input(source: lines.path, reason: "holds no text") }
    return nil
  }
}

/// JSON that describes texts.
enum InputRecord {
  /// `{"id","text"}` or `{"id","messages",…}`.
  static func text(_ line: [UInt8], source: String) throws -> InputText {
    var id: JSONValue?
    var text: String?
    var isChat = false
    do {
      try line.withUnsafeBytes { bytes in
        var scanner = JSONScanner(bytes)
        try scanner.object { key, scanner in
          switch key {
          case "id":
            switch try scanner.peek() {
            case .string: id = .string(try scanner.string())
            case .number: id = .integer(try scanner.integer())
            default: throw scanner.error("'id' is neither a string nor a whole number")
            }
          case "text": text = try scanner.string()
          case "messages":
            isChat = true
            try scanner.skipValue()
          default: try scanner.skipValue()
          }
        }
        try scanner.end()
      }
    } catch let error as JSONError {
      throw CommandError.input(source: source, reason: "is not the JSON expected: \(error)")
    }
    guard let id else { throw CommandError.input(source: source, reason: "'id' is missing") }
    guard isChat != (text != nil) else {
      throw CommandError.input(source: source, reason: "expected either 'text' or 'messages'")
    }
    if isChat { return InputText(id: id, source: source, content: .chat(try chat(line, source: source))) }
    guard let text, !text.isEmpty else { throw CommandError.input(source: source, reason: "'text' is empty") }
    return InputText(id: id, source: source, content: .text(text))
  }

  static func chat(_ bytes: [UInt8], source: String) throws -> ChatConversation {
    do {
      return try ChatConversation(json: bytes)
    } catch TokenizerError.chat(let location, let reason) {
      throw CommandError.input(source: source, reason: "\(location): \(reason)")
    }
  }
}
