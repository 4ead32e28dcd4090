import Checkpoints

/// Reads lines of JSONL.
enum CorpusRecord {
  /// The text of `{"text"}` or the conversation of `{"messages"}`; nil when it is empty.
  /// - Throws: `JSONError`.
  static func read(_ line: [UInt8], invalidText: CorpusOptions.InvalidText) throws -> CorpusText? {
    var line = line
    if invalidText == .replace, String(validating: line, as: UTF8.self) == nil {
      line = Array(String(decoding: line, as: UTF8.self).utf8)
    }
    var text: String?
    var isChat = false
    try line.withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      guard try scanner.peek() == .object else { throw scanner.error("expected an object") }
      try scanner.object { key, scanner in
        switch key {
        case "text":
          guard text == nil else { throw scanner.error("'text' is given twice") }
          guard try scanner.peek() == .string else { throw scanner.error("'text' is not a string") }
          text = try scanner.string()
        case "messages":
          guard !isChat else { throw scanner.error("'messages' is given twice") }
          guard try scanner.peek() == .array else { throw scanner.error("'messages' is not a list") }
          isChat = true
          try scanner.skipValue()
        default: try scanner.skipValue()
        }
      }
      try scanner.end()
      guard isChat != (text != nil) else { throw scanner.error("expected either 'text' or 'messages'") }
    }
    if isChat { return .chat(line) }
    return text.flatMap { $0.isEmpty ? nil : .text($0) }
  }
}

extension CorpusText {
  /// What the choice between training and held-out goes by.
  var bytes: [UInt8] {
    switch self {
    case .text(let text): Array(text.utf8.prefix(4096))
    case .chat(let json): Array(json.prefix(4096))
    }
  }
}
