public import Checkpoints

extension GemmaTokenizer {
  /// Reads the vocabulary in a Gemma GGUF. It lists no merges: they follow from the pieces and their order.
  ///
  /// - Throws: `TokenizerError` or `CheckpointError` naming the metadata key that is missing or wrong.
  public convenience init(gguf: GGUFFile) throws {
    func expect(_ key: String, _ found: String, _ expected: String) throws {
      guard found == expected else {
        throw TokenizerError.unsupported(file: gguf.path, field: key, expected: expected, found: found)
      }
    }
    try expect("tokenizer.ggml.model", try gguf.string("tokenizer.ggml.model"), "llama")
    if gguf.value("tokenizer.ggml.add_space_prefix") != nil {
      try expect(
        "tokenizer.ggml.add_space_prefix", "\(try gguf.bool("tokenizer.ggml.add_space_prefix"))", "false")
    }
    if gguf.value("tokenizer.ggml.merges") != nil {
      try expect("tokenizer.ggml.merges", "a list", "none")
    }
    let tokens = try gguf.strings("tokenizer.ggml.tokens")
    let types = try gguf.integers("tokenizer.ggml.token_type")
    var reader = try GGUFVocabularyReader(file: gguf.path, count: tokens.count, types: types)
    try tokens.forEachUTF8 { index, bytes in try reader.add(bytes, at: index) }
    try self.init(reader.finish())
  }

  /// A vocabulary as a GGUF has it: pieces, and for each its SentencePiece type.
  package convenience init(pieces: [[UInt8]], types: [Int], file: String) throws {
    var reader = try GGUFVocabularyReader(file: file, count: pieces.count, types: types)
    for (index, piece) in pieces.enumerated() { try piece.withUnsafeBytes { try reader.add($0, at: index) } }
    try self.init(reader.finish())
  }
}

/// Collects a GGUF's vocabulary, spelled and sorted out as Hugging Face `transformers` does.
///
/// Scores are not read: for Gemma the order of the pieces is the order of the merges.
struct GGUFVocabularyReader {
  private static let piecesField = "tokenizer.ggml.tokens"
  private static let typesField = "tokenizer.ggml.token_type"

  private let file: String
  private var pieces: PieceTable
  private var kinds: [PieceKind] = []
  private var added: [Int32] = []
  private var addedByteCount = 0
  private let types: [Int]
  private var longest = 0

  init(file: String, count: Int, types: [Int]) throws {
    self.file = file
    self.types = types
    guard types.count == count else {
      throw TokenizerError.invalid(
        file: file, field: Self.typesField, reason: "has \(types.count) values for \(count) pieces")
    }
    pieces = PieceTable(capacity: count)
  }

  private func invalid(_ reason: String) -> TokenizerError {
    .invalid(file: file, field: Self.piecesField, reason: reason)
  }

  mutating func add(_ bytes: UnsafeRawBufferPointer, at index: Int) throws {
    // llama.cpp writes runs of spaces as such; everywhere else in the vocabulary a space is U+2581.
    let isSpaces = bytes.allSatisfy { $0 == 0x20 }
    if isSpaces, !bytes.isEmpty {
      let marks = (0..<bytes.count).flatMap { _ in [UTF8Scan.mark.0, UTF8Scan.mark.1, UTF8Scan.mark.2] }
      try marks.withUnsafeBufferPointer { try insert($0, at: index) }
    } else {
      try bytes.withMemoryRebound(to: UInt8.self) { try insert($0, at: index) }
    }
    // A respelled run is made by merging and is not looked for in raw text.
    let kind = kind(types[index])
    kinds.append(isSpaces && kind == .added ? .normal : kind)
    guard kinds[index] == .special || kinds[index] == .added else { return }
    added.append(Int32(index))
    addedByteCount += bytes.count
    guard addedByteCount <= AddedTokenTrie.maximumBytes else { throw invalid("more than 16 MiB of added tokens") }
  }

  private mutating func insert(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int) throws {
    guard bytes.count <= MergeRules.maximumLength else {
      throw invalid("the piece of id \(index) has \(bytes.count) bytes, expected at most \(MergeRules.maximumLength)")
    }
    // Pieces are matched scalar by scalar: one that is no text would give other ids than it says.
    guard UTF8Scan.isValid(bytes) else {
      throw invalid("the piece of id \(index) is not UTF-8")
    }
    longest = max(longest, bytes.count)
    try TokenizerVocabulary.insert(bytes, id: index, into: &pieces, source: file, field: Self.piecesField)
  }

  /// Kinds by SentencePiece type: 2 unknown and 3 control are special, 4 is user-defined, 6 is a byte.
  private func kind(_ type: Int) -> PieceKind {
    switch type {
    case 2, 3: .special
    case 4: .added
    default: .normal
    }
  }

  mutating func finish() throws -> TokenizerVocabulary {
    let bytes = try TokenizerVocabulary.byteIDs(pieces, source: file, field: Self.piecesField)
    for id in bytes {
      guard kinds[Int(id)] == .normal else {
        throw invalid("the byte piece of id \(id) is a control or user-defined piece")
      }
      kinds[Int(id)] = .byte
    }
    return TokenizerVocabulary(
      source: file, piecesField: Self.piecesField, kindsField: Self.typesField, pieces: pieces, kinds: kinds,
      added: added, bytes: bytes, rules: .concatenation(powers: PieceHash.powers(upTo: longest)))
  }
}
