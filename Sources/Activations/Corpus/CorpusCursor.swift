/// A place between two pieces of text of a corpus.
public struct CorpusCursor: Codable, Equatable, Sendable {
  /// Index into `Corpus.files`.
  public var file: Int
  /// Where the piece begins in the unpacked bytes of the file.
  public var byte: Int
  /// Lines of the file before it.
  public var line: Int
  /// Documents of the file before the one it belongs to.
  public var document: Int
  /// Whether it goes on with a document that began in an earlier piece.
  public var isContinuation: Bool

  enum CodingKeys: String, CodingKey {
    case file, byte, line, document
    case isContinuation = "is_continuation"
  }

  public init(file: Int = 0, byte: Int = 0, line: Int = 0, document: Int = 0, isContinuation: Bool = false) {
    self.file = file
    self.byte = byte
    self.line = line
    self.document = document
    self.isContinuation = isContinuation
  }
}

/// A place between two sequences of a packed corpus.
public struct SequenceCursor: Codable, Equatable, Sendable {
  /// The next sequence, counted from 0.
  public var sequence: Int
  /// Tokens that count (not special) in the sequences before it.
  public var counted: Int
  /// The piece of text in which it begins.
  public var piece: CorpusCursor
  /// Tokens of that piece used before.
  public var token: Int

  public init(sequence: Int = 0, counted: Int = 0, piece: CorpusCursor = CorpusCursor(), token: Int = 0) {
    self.sequence = sequence
    self.counted = counted
    self.piece = piece
    self.token = token
  }
}
