import Checkpoints
import Synchronization

/// Gemma's tokenizer: byte-pair encoding over Unicode scalars with a fallback to bytes, spaces written as U+2581, and
/// added tokens found in the raw text first. Gives the ids that Hugging Face `tokenizers` gives.
///
/// Texts that hold U+2581 itself cannot be told from texts with a space there: decoding gives a space. Everything else
/// comes back as it was.
///
/// Safe to share between threads; each call takes scratch memory and a cache of its own from a pool.
public final class GemmaTokenizer: Sendable {
  /// What the text of a special token (`<start_of_turn>`, `<eos>`, `<unused0>` …) in the input becomes. Added tokens
  /// that are not special (runs of newlines, HTML tags, `<start_of_image>`) are found either way.
  public enum Specials: Sendable {
    /// The token itself. For files that hold rendered prompts.
    case parse
    /// Ordinary pieces. For text that others wrote.
    case asText
  }

  /// Number of ids: 0 ..< `vocabularySize`. A model's embedding may have more rows.
  public let vocabularySize: Int
  /// Ids of `<bos>`, `<eos>`, `<pad>` and `<unk>`.
  public let bos, eos, pad, unk: Int32
  /// Ids of `<start_of_turn>` and `<end_of_turn>`, nil in a vocabulary without chat.
  public let startOfTurn, endOfTurn: Int32?

  let model: BytePairModel
  let added: AddedTokenTrie
  let chunks: ChunkRule
  let byteClasses: [ByteClass]
  private let pool = Mutex<[Workspace]>([])

  /// Scratch memory of one call.
  struct Workspace {
    var cache = ChunkCache()
    var merger = BytePairMerger()
  }

  /// What a byte of text can begin.
  struct ByteClass: OptionSet {
    let rawValue: UInt8
    static let space = ByteClass(rawValue: 1)
    static let addedToken = ByteClass(rawValue: 2)
  }

  /// - Throws: `TokenizerError.invalid` when a piece that every Gemma has is missing.
  package init(_ vocabulary: TokenizerVocabulary) throws {
    let pieces = vocabulary.pieces
    func required(_ piece: String, _ field: String) throws -> Int32 {
      guard let id = pieces.find(piece) else {
        throw TokenizerError.invalid(file: vocabulary.source, field: field, reason: "has no piece '\(piece)'")
      }
      return id
    }
    func special(_ piece: String) throws -> Int32 {
      let id = try required(piece, vocabulary.piecesField)
      guard vocabulary.kinds[Int(id)] == .special else {
        throw TokenizerError.invalid(
          file: vocabulary.source, field: vocabulary.kindsField, reason: "'\(piece)' is not a special token")
      }
      return id
    }
    bos = try special("<bos>")
    eos = try special("<eos>")
    pad = try special("<pad>")
    unk = try special("<unk>")
    startOfTurn = try pieces.find("<start_of_turn>") == nil ? nil : special("<start_of_turn>")
    endOfTurn = try pieces.find("<end_of_turn>") == nil ? nil : special("<end_of_turn>")
    vocabularySize = pieces.count
    model = BytePairModel(
      pieces: pieces, kinds: vocabulary.kinds, rules: vocabulary.rules, scalars: ScalarTable(pieces),
      bytes: vocabulary.bytes, mark: try required("\u{2581}", vocabulary.piecesField))
    let added = AddedTokenTrie(vocabulary.added, pieces: pieces)
    self.added = added
    chunks = ChunkRule(pieces)
    byteClasses = (0..<256).map { byte in
      var byteClass: ByteClass = byte == 0x20 ? .space : []
      if added.begins(with: UInt8(byte)) { byteClass.insert(.addedToken) }
      return byteClass
    }
  }

  /// The spelling of a token as in the vocabulary, with U+2581 for spaces and `<0x0A>` for bytes; an id without a piece
  /// gives `<id 262150>`, as a model's padding rows can.
  public func piece(_ id: Int32) -> String {
    guard id >= 0, id < vocabularySize else { return "<id \(id)>" }
    return String(decoding: model.pieces.bytes(id), as: UTF8.self)
  }

  /// The id of the token spelled `piece`, byte for byte.
  public func id(of piece: String) -> Int32? { model.pieces.find(piece) }

  /// Whether `id` is a special token: `<bos>`, `<end_of_turn>`, `<unused7>` and their kind.
  public func isSpecial(_ id: Int32) -> Bool {
    id >= 0 && id < vocabularySize && model.kinds[Int(id)] == .special
  }

  /// Most tokens of one chunk that scratch memory keeps room for (about 28 MB).
  private static let maximumKeptCapacity = 1 << 20

  /// Lends scratch memory to `body`; what is not in use waits for the next call, unless a huge text has swollen it.
  func withWorkspace<R>(_ body: (inout Workspace) throws -> R) rethrows -> R {
    var workspace = pool.withLock { $0.popLast() } ?? Workspace()
    defer {
      if workspace.merger.capacity <= Self.maximumKeptCapacity { pool.withLock { $0.append(workspace) } }
    }
    return try body(&workspace)
  }

  /// How many tokens of one chunk the waiting scratch memory has room for.
  package var keptCapacity: Int { pool.withLock { $0.map(\.merger.capacity).max() ?? 0 } }
}
