import Checkpoints

extension TokenizerJSONReader {
  mutating func readModel(_ scanner: inout JSONScanner) throws {
    // Merges name pieces, so they are read after the vocabulary wherever they stand.
    var mergesBeforeVocabulary: JSONScanner?
    try scanner.object { key, scanner in
      let field = "model.\(key)"
      try once(field)
      try Self.named(file, field) {
        switch key {
        case "vocab": try readVocabulary(&scanner)
        case "merges" where has("model.vocab"): try readMerges(&scanner)
        case "merges":
          mergesBeforeVocabulary = scanner
          try scanner.skipValue()
        default:
          guard let shape = Self.modelShapes[key] else { return try scanner.skipValue() }
          try expect(field, Self.canonical(&scanner), shape)
        }
      }
    }
    for key in ["byte_fallback", "merges", "type", "vocab"] where !has("model.\(key)") {
      throw invalid("model.\(key)", "is missing")
    }
    if var merges = mergesBeforeVocabulary { try Self.named(file, "model.merges") { try readMerges(&merges) } }
  }

  private static let modelShapes: [String: [String]] = [
    "type": [#""BPE""#],
    "dropout": ["null"],
    "unk_token": [#""<unk>""#],
    "continuing_subword_prefix": ["null", #""""#],
    "end_of_word_suffix": ["null", #""""#],
    "byte_fallback": ["true"],
    "ignore_merges": ["false"],
  ]

  private mutating func readVocabulary(_ scanner: inout JSONScanner) throws {
    try scanner.objectBytes { piece, scanner in
      let id = try scanner.integer()
      try piece.withMemoryRebound(to: UInt8.self) {
        try TokenizerVocabulary.insert($0, id: id, into: &pieces, source: file, field: "model.vocab")
      }
    }
  }

  /// `["a", "b"]`, or `"a b"` as older files have it.
  private mutating func readMerges(_ scanner: inout JSONScanner) throws {
    var list = MergeList(pieces: pieces, file: file)
    try scanner.array { scanner in
      try Self.named(file, list.field) { try list.read(&scanner) }
    }
    pairs = list.pairs
    products = list.products
  }
}

/// The merges of a `tokenizer.json` as they are read.
private struct MergeList {
  let pieces: PieceTable
  let file: String
  var pairs: [UInt64] = []
  var products: [Int32] = []
  private var joined: [UInt8] = []

  init(pieces: PieceTable, file: String) {
    self.pieces = pieces
    self.file = file
  }

  mutating func read(_ scanner: inout JSONScanner) throws {
    joined.removeAll(keepingCapacity: true)
    var split: Int?
    if try scanner.peek() == .string {
      try scanner.stringBytes { bytes in
        split = bytes.firstIndex(of: 0x20)
        joined.append(contentsOf: bytes)
      }
      if let split { joined.remove(at: split) }
    } else {
      var count = 0
      try scanner.array { scanner in
        count += 1
        if count == 2 { split = joined.count }
        try scanner.stringBytes { joined.append(contentsOf: $0) }
      }
      if count != 2 { split = nil }
    }
    guard let split, split > 0, split < joined.count else { throw fault("is not two pieces") }
    // Both parts are looked up before the product, so that the message names the shortest that is missing.
    let (left, right) = try joined.withUnsafeBufferPointer { joined in
      (try piece(joined.extracting(..<split)), try piece(joined.extracting(split...)))
    }
    // Merges are listed by product as a rule, so the last one or the one after it is nearly always it.
    let last = products.last ?? 0
    products.append(
      try joined.withUnsafeBufferPointer { joined in
        pieces.matches(last, joined) ? last : pieces.matches(last + 1, joined) ? last + 1 : try piece(joined)
      })
    pairs.append(MergeTable.pair(left, right))
  }

  private func fault(_ reason: String) -> TokenizerError {
    .invalid(file: file, field: field, reason: reason)
  }

  /// Names the merge that is being read.
  var field: String { "model.merges[\(pairs.count)]" }

  @inline(__always)
  private func piece(_ bytes: UnsafeBufferPointer<UInt8>) throws -> Int32 {
    guard let id = pieces.find(bytes) else {
      throw fault("'\(String(decoding: bytes.prefix(80), as: UTF8.self))' is not in the vocabulary")
    }
    return id
  }
}
