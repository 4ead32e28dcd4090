import Checkpoints
public import Foundation
import Tensors

extension GemmaTokenizer {
  /// Reads a Hugging Face `tokenizer.json`, or the one in the folder `url`.
  ///
  /// - Throws: `TokenizerError` naming the file and the field that is wrong, or that is not as in Gemma's tokenizers.
  public convenience init(contentsOf url: URL) throws {
    var isDirectory: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory)
    let file = exists && isDirectory.boolValue ? url.appending(path: "tokenizer.json") : url
    let mapped: MappedFile
    do {
      mapped = try MappedFile(file)
    } catch TensorError.file(let path, let reason) {
      throw TokenizerError.file(path: path, reason: reason)
    }
    try self.init(json: mapped.bytes, file: file.path)
    withExtendedLifetime(mapped) {}
  }

  /// Reads the bytes of a `tokenizer.json`; `file` is for messages.
  package convenience init(json bytes: UnsafeRawBufferPointer, file: String) throws {
    var reader = TokenizerJSONReader(file: file)
    let vocabulary: TokenizerVocabulary
    do {
      vocabulary = try reader.read(bytes)
    } catch let error as JSONError {
      throw TokenizerError.file(path: file, reason: error.description)
    }
    try self.init(vocabulary)
  }
}

/// Reads a `tokenizer.json` of the shape that Gemma's have, and refuses others.
struct TokenizerJSONReader {
  struct AddedToken {
    var id = -1
    var content: [UInt8] = []
    var special = false
  }

  let file: String
  var pieces = PieceTable()
  var addedTokens: [AddedToken] = []
  /// Merges as left << 32 | right in the order of the file.
  var pairs: [UInt64] = []
  var products: [Int32] = []
  /// The ids that the post-processor puts for `<bos>`, as `canonical` writes them; nil without a post-processor.
  var processorIDs: String?
  private var seen: Set<String> = []

  init(file: String) { self.file = file }

  func invalid(_ field: String, _ reason: String) -> TokenizerError {
    .invalid(file: file, field: field, reason: reason)
  }

  /// Runs `body`; JSON of the wrong type in it is reported as a fault of `field`.
  @inline(__always)
  static func named<Result>(
    _ file: String, _ field: @autoclosure () -> String, _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch let error as JSONError {
      throw TokenizerError.invalid(file: file, field: String(field().prefix(80)), reason: error.description)
    }
  }

  mutating func read(_ bytes: UnsafeRawBufferPointer) throws -> TokenizerVocabulary {
    var scanner = JSONScanner(bytes)
    try scanner.object { key, scanner in
      try once(key)
      try Self.named(file, key) {
        switch key {
        case "added_tokens": try readAddedTokens(&scanner)
        case "model": try readModel(&scanner)
        case "post_processor": try readPostProcessor(&scanner)
        default:
          guard let shape = Self.shapes[key] else { return try scanner.skipValue() }
          try expect(key, Self.canonical(&scanner), shape)
        }
      }
    }
    try scanner.end()
    for key in ["added_tokens", "decoder", "model", "normalizer"] where !seen.contains(key) {
      throw invalid(key, "is missing")
    }
    return try assemble()
  }

  /// - Throws: `TokenizerError.invalid` when `field` was there before.
  mutating func once(_ field: String) throws {
    guard seen.insert(field).inserted else { throw invalid(String(field.prefix(80)), "is given twice") }
  }

  func has(_ field: String) -> Bool { seen.contains(field) }

  func expect(_ field: String, _ found: String, _ expected: [String]) throws {
    guard !expected.contains(found) else { return }
    throw TokenizerError.unsupported(
      file: file, field: field, expected: expected.joined(separator: " or "), found: String(found.prefix(200)))
  }

  private mutating func assemble() throws -> TokenizerVocabulary {
    for (index, token) in addedTokens.enumerated() {
      let field = "added_tokens[\(index)]"
      try token.content.withUnsafeBufferPointer { content in
        if let id = pieces.find(content) {
          guard Int(id) == token.id else { throw invalid(field, "has id \(token.id), the vocabulary says \(id)") }
        } else {
          try TokenizerVocabulary.insert(content, id: token.id, into: &pieces, source: file, field: field)
        }
      }
    }
    if let gap = pieces.firstGap {
      throw invalid("model.vocab", "no piece has id \(gap), but \(pieces.count - 1) is used")
    }
    var kinds = [PieceKind](repeating: .normal, count: pieces.count)
    for token in addedTokens { kinds[token.id] = token.special ? .special : .added }
    if let processorIDs, let bos = pieces.find("<bos>") {
      try expect("post_processor.special_tokens", processorIDs, ["[\(bos)]"])
    }
    let bytes = try TokenizerVocabulary.byteIDs(pieces, source: file, field: "model.vocab")
    for id in bytes {
      guard kinds[Int(id)] == .normal else { throw invalid("added_tokens", "holds the byte piece of id \(id)") }
      kinds[Int(id)] = .byte
    }
    return TokenizerVocabulary(
      source: file, piecesField: "model.vocab", kindsField: "added_tokens", pieces: pieces, kinds: kinds,
      added: addedTokens.map { Int32($0.id) }, bytes: bytes, rules: try mergeRules(kinds))
  }

  private func mergeRules(_ kinds: [PieceKind]) throws -> MergeRules {
    var duplicate = 0
    var products = products
    // Kept in the table with no product to keep the ranks as listed.
    for i in products.indices where !BytePairModel.isProduct(kinds[Int(products[i])]) { products[i] = -1 }
    guard let table = MergeTable(pairs: pairs, products: products, duplicate: &duplicate) else {
      throw invalid("model.merges[\(duplicate)]", "repeats an earlier merge")
    }
    return .table(table)
  }
}
