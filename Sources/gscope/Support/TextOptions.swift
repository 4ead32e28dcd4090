import ArgumentParser

/// Where a command's text comes from: exactly one of five.
struct TextOptions: ParsableArguments {
  @Option(
    name: .shortAndLong, parsing: .unconditional,
    help: ArgumentHelp("The text itself; <bos> comes first.", valueName: "text"))
  var text: String?

  @Option(
    name: .shortAndLong, parsing: .unconditional,
    help: ArgumentHelp("A text file, or - for the standard input; <bos> comes first.", valueName: "file"),
    completion: .file())
  var file: String?

  @Option(help: ArgumentHelp("Token ids, as they are: 2,651,3019. Needs no tokenizer.", valueName: "ids"))
  var tokens: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "A conversation as JSON: {\"messages\":[{\"role\":\"user\",\"content\":\"…\"}]}.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var chat: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Many texts, one JSON object a line: {\"id\",\"text\"} or {\"id\",\"messages\"}. The output is a line each.",
      valueName: "file"),
    completion: .file(extensions: ["jsonl"]))
  var texts: String?

  enum Source: Equatable {
    case text(String)
    case file(String)
    case tokens([Int32])
    case chat(String)
    case texts(String)
  }

  /// Whether the output is a line for each of many texts.
  var isMany: Bool { texts != nil }

  /// The one source given, or nil.
  /// - Throws: `ValidationError` naming the flags.
  func source() throws -> Source? {
    let given = [
      text.map { (flag: "--text", source: Source.text($0)) }, file.map { ("--file", .file($0)) },
      try tokens.map { ("--tokens", .tokens(try TokenList.parse($0))) }, chat.map { ("--chat", .chat($0)) },
      texts.map { ("--texts", .texts($0)) },
    ].compactMap { $0 }
    guard given.count <= 1 else {
      throw ValidationError("\(given.map(\.flag).joined(separator: " and ")) exclude each other; give one.")
    }
    if text?.isEmpty == true { throw ValidationError("--text is empty.") }
    return given.first?.source
  }

  /// - Throws: `ValidationError` also when nothing is given.
  func required() throws -> Source {
    guard let source = try source() else {
      throw ValidationError("Missing text: give one of --text, --file, --tokens, --chat, --texts.")
    }
    return source
  }
}

/// `2,651,3019`, with commas or spaces.
enum TokenList {
  /// - Throws: `ValidationError`.
  static func parse(_ text: String) throws -> [Int32] {
    let parts = text.split { $0 == "," || $0.isWhitespace }
    guard !parts.isEmpty else { throw ValidationError("--tokens is empty; expected ids such as 2,651,3019.") }
    return try parts.map { part in
      guard let id = Int32(part), id >= 0 else {
        throw ValidationError("--tokens: '\(part)' is no token id; expected ids such as 2,651,3019.")
      }
      return id
    }
  }
}
