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
    // A file saved with either would cut or fill up every text.
    "truncation": ["null"],
    "padding": ["null"],
  ]

  /// One text becomes `<bos>` and its tokens, which is what `encode` does. What two become is nobody's question here.
  mutating func readPostProcessor(_ scanner: inout JSONScanner) throws {
    if try scanner.peek() == .null { return try scanner.null() }
    let shapes = [
      "type": #""TemplateProcessing""#,
      "single": #"[{"SpecialToken":{"id":"<bos>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}]"#,
    ]
    try scanner.object { key, scanner in
      let field = "post_processor.\(key)"
      try once(field)
      try Self.named(file, field) {
        if key == "special_tokens" { return try readProcessorTokens(&scanner) }
        guard let shape = shapes[key] else { return try scanner.skipValue() }
        try expect(field, Self.canonical(&scanner), [shape])
      }
    }
    for key in ["type", "single"] where !has("post_processor.\(key)") {
      throw invalid("post_processor.\(key)", "is missing")
    }
    if processorIDs == nil { throw invalid("post_processor.special_tokens", "has no ids of '<bos>'") }
  }

  /// `{"<bos>":{"ids":[2]}}`; the vocabulary may come later, so the id is compared at the end.
  private mutating func readProcessorTokens(_ scanner: inout JSONScanner) throws {
    try scanner.object { token, scanner in
      guard token == "<bos>" else { return try scanner.skipValue() }
      try scanner.object { key, scanner in
        guard key == "ids" else { return try scanner.skipValue() }
        processorIDs = try Self.canonical(&scanner)
      }
    }
  }

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
    case .number:
      let number = try scanner.double()
      return Int(exactly: number).map(String.init) ?? "\(number)"
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
      let token = try Self.named(file, field) { try readAddedToken(&scanner, field) }
      guard !token.content.isEmpty else { throw invalid(field, "has no content") }
      // Looking for it anew at every place of a text takes time with its length.
      guard token.content.count <= MergeRules.maximumLength else {
        throw invalid(field, "has \(token.content.count) bytes, expected at most \(MergeRules.maximumLength)")
      }
      guard ids.insert(token.id).inserted else { throw invalid(field, "has the id \(token.id) of another") }
      byteCount += token.content.count
      guard byteCount <= AddedTokenTrie.maximumBytes else { throw invalid("added_tokens", "more than 16 MiB of text") }
      addedTokens.append(token)
    }
  }

  private func readAddedToken(_ scanner: inout JSONScanner, _ field: String) throws -> AddedToken {
    var token = AddedToken()
    try scanner.object { key, scanner in
      try Self.named(file, "\(field).\(key)") {
        switch key {
        case "id": token.id = try scanner.integer()
        case "content": try scanner.stringBytes { token.content = Array($0) }
        case "special": token.special = try scanner.bool()
        case "single_word", "lstrip", "rstrip", "normalized":
          try expect("\(field).\(key)", "\(try scanner.bool())", ["false"])
        default: try scanner.skipValue()
        }
      }
    }
    guard token.id >= 0 else { throw invalid(field, "has no id, or a negative one") }
    return token
  }
}
