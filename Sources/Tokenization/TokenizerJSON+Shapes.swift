import Checkpoints

extension TokenizerJSONReader {
  /// What Gemma's files say in the fields that are not data, as `canonical` writes it. A pre-tokenizer that splits at
  /// spaces does nothing, as the normalizer has left none.
  static let shapes: [String: [String]] = [
    "normalizer": [#"{"content":"▁","pattern":{"String":" "},"type":"Replace"}"#],
    "pre_tokenizer": ["null"]
      + ["MergedWithPrevious", "MergedWithNext", "Isolated", "Contiguous", "Removed"].map {
        #"{"behavior":"\#($0)","invert":false,"pattern":{"String":" "},"type":"Split"}"#
      },
    "decoder": [
      #"{"decoders":[{"content":" ","pattern":{"String":"▁"},"type":"Replace"},"#
        + #"{"type":"ByteFallback"},{"type":"Fuse"}],"type":"Sequence"}"#
    ],
  ]

  /// A value without white space and with its keys sorted.
  static func canonical(_ scanner: inout JSONScanner) throws -> String {
    switch try scanner.peek() {
    case .object:
      var members: [String] = []
      try scanner.object { key, scanner in members.append("\"\(key)\":\(try canonical(&scanner))") }
      return "{\(members.sorted().joined(separator: ","))}"
    case .array:
      var elements: [String] = []
      try scanner.array { elements.append(try canonical(&$0)) }
      return "[\(elements.joined(separator: ","))]"
    case .string: return "\"\(try scanner.string())\""
    case .number: return "\(try scanner.double())"
    case .bool: return "\(try scanner.bool())"
    case .null:
      try scanner.null()
      return "null"
    }
  }

  mutating func readAddedTokens(_ scanner: inout JSONScanner) throws {
    var byteCount = 0
    var ids: Set<Int> = []
    try scanner.array { scanner in
      let field = "added_tokens[\(addedTokens.count)]"
      let token = try readAddedToken(&scanner, field)
      guard !token.content.isEmpty else { throw invalid(field, "has no content") }
      guard ids.insert(token.id).inserted else { throw invalid(field, "has the id \(token.id) of another") }
      byteCount += token.content.count
      guard byteCount <= AddedTokenTrie.maximumBytes else { throw invalid("added_tokens", "more than 16 MiB of text") }
      addedTokens.append(token)
    }
  }

  private func readAddedToken(_ scanner: inout JSONScanner, _ field: String) throws -> AddedToken {
    var token = AddedToken()
    try scanner.object { key, scanner in
      switch key {
      case "id": token.id = try scanner.integer()
      case "content": try scanner.stringBytes { token.content = Array($0) }
      case "special": token.special = try scanner.bool()
      case "single_word", "lstrip", "rstrip", "normalized":
        try expect("\(field).\(key)", "\(try scanner.bool())", ["false"])
      default: try scanner.skipValue()
      }
    }
    guard token.id >= 0 else { throw invalid(field, "has no id, or a negative one") }
    return token
  }
}
