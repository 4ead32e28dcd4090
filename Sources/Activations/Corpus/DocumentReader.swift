import Checkpoints

/// One piece of a document: all of it, unless it is a very long plain text.
package enum CorpusText: Equatable, Sendable {
  case text(String)
  /// The JSON object of a conversation.
  case chat([UInt8])
}

package struct CorpusPiece: Equatable, Sendable {
  /// Where it begins.
  package let cursor: CorpusCursor
  package let text: CorpusText
}

/// Reads the documents of a corpus in order, in fixed memory.
package final class DocumentReader {
  /// Longer plain texts come in pieces of at most so many bytes, cut after a line, else after a space. Each piece is
  /// tokenised alone.
  package static let maximumPiece = 1 << 20
  /// A longer line of JSONL is a fault.
  package static let maximumLine = 64 << 20

  private let corpus: Corpus
  private var stream: ByteStream?
  private var buffer: [UInt8] = []
  /// What of `buffer` has been used.
  private var start = 0
  private var isAtEnd = false
  private var cursor: CorpusCursor
  /// Whether the document that pieces belong to is of the part that is read.
  private var isIncluded = true

  /// - Parameter cursor: where to begin; a place that a reader of the same corpus has reached.
  package init(_ corpus: Corpus, at cursor: CorpusCursor = CorpusCursor()) throws {
    self.corpus = corpus
    self.cursor = cursor
    guard cursor.file >= 0, cursor.byte >= 0, cursor.line >= 0, cursor.document >= 0,
      cursor.file <= corpus.files.count
    else { throw ActivationError.state(reason: "no file \(cursor.file) of \(corpus.files.count)") }
    guard cursor.file < corpus.files.count, cursor.byte > 0 else { return }
    let file = corpus.files[cursor.file]
    let stream = try ByteStream(file)
    guard try unpacking(file, { try stream.skip(to: cursor.byte) }) else {
      throw ActivationError.state(reason: "\(file.path) ends before byte \(cursor.byte)")
    }
    buffer = stream.leftover
    self.stream = stream
  }

  /// The next piece, or nil after the last. Empty documents are left out.
  /// - Throws: `ActivationError` naming the file and line.
  package func next() throws -> CorpusPiece? {
    while cursor.file < corpus.files.count {
      let file = corpus.files[cursor.file]
      if stream == nil {
        stream = try ByteStream(file)
        isAtEnd = false
      }
      if let piece = file.isJSONL ? try record(of: file) : try text(of: file) { return piece }
      guard isAtEnd, start == buffer.count else { continue }
      stream = nil
      buffer = []
      start = 0
      cursor = CorpusCursor(file: cursor.file + 1)
    }
    return nil
  }

  // MARK: Bytes

  /// Reads on until the buffer holds `count` unused bytes or the file ends; more than that while it is at it, so that
  /// what is unused moves to the front only now and then.
  private func fill(_ count: Int) throws {
    guard buffer.count - start < count, !isAtEnd, let stream else { return }
    if start > 0 {
      buffer.removeSubrange(..<start)
      start = 0
    }
    while buffer.count < count * 2, !isAtEnd {
      isAtEnd = !(try unpacking(corpus.files[cursor.file]) { try stream.read(into: &buffer) })
    }
  }

  private func unpacking<R>(_ file: Corpus.File, _ body: () throws -> R) throws -> R {
    do {
      return try body()
    } catch CheckpointError.malformed(_, let reason) {
      throw ActivationError.unreadable(path: file.path, reason: reason)
    }
  }

  /// Where the next `byte` lies behind `start`, at most `limit` bytes on; nil when there is none.
  private func find(_ byte: UInt8, limit: Int) throws -> Int? {
    var searched = 0
    while true {
      if let found = buffer[(start + searched)...].prefix(limit - searched).firstIndex(of: byte) { return found }
      searched = buffer.count - start
      guard searched < limit, !isAtEnd else { return nil }
      try fill(min(searched + (1 << 16), limit))
    }
  }

  /// Counts the bytes up to `end`, with their lines, as used.
  private func use(to end: Int) {
    cursor.byte += end - start
    cursor.line += buffer[start..<end].count { $0 == UInt8(ascii: "\n") }
    start = end
  }

  // MARK: JSONL

  private func record(of file: Corpus.File) throws -> CorpusPiece? {
    let end = try find(UInt8(ascii: "\n"), limit: Self.maximumLine)
    guard end != nil || isAtEnd else {
      throw failure(file, "is longer than \(Self.maximumLine) bytes")
    }
    let line = Array(buffer[start..<(end ?? buffer.count)])
    let place = cursor
    guard line.contains(where: { $0 > 0x20 }) else {
      use(to: end.map { $0 + 1 } ?? buffer.count)
      return nil
    }
    let text: CorpusText?
    do {
      text = try CorpusRecord.read(line, invalidText: corpus.options.invalidText)
    } catch let error as JSONError {
      throw failure(file, "is not the JSON expected: \(error)")
    }
    use(to: end.map { $0 + 1 } ?? buffer.count)
    cursor.document += 1
    guard let text, corpus.options.includes(text.bytes) else { return nil }
    return CorpusPiece(cursor: place, text: text)
  }

  // MARK: Plain text

  private func text(of file: Corpus.File) throws -> CorpusPiece? {
    // One byte more than a piece can have tells whether the file goes on.
    try fill(Self.maximumPiece + 1)
    guard start < buffer.count else { return nil }
    let piece = nextText()
    let bytes = buffer[start..<piece.end]
    let place = cursor
    defer {
      use(to: piece.next)
      cursor.isContinuation = !piece.endsDocument
      if piece.endsDocument { cursor.document += 1 }
    }
    if !place.isContinuation { isIncluded = corpus.options.includes(bytes) }
    guard isIncluded, bytes.contains(where: { $0 > 0x20 }) else { return nil }
    return CorpusPiece(cursor: place, text: .text(try string(bytes, of: file)))
  }

  /// The end of the piece at `start`, where the next begins, and whether its document ends there.
  private func nextText() -> (end: Int, next: Int, endsDocument: Bool) {
    let limit = min(buffer.count, start + Self.maximumPiece)
    let isLast = limit == buffer.count
    let whole = buffer[start..<limit]
    switch corpus.options.separator {
    case .file: break
    case .zero:
      if let zero = whole.firstIndex(of: 0) { return (zero, zero + 1, true) }
    case .blankLine:
      if let (end, next) = Self.blankLine(whole, isLast: isLast) { return (end, next, true) }
    }
    if isLast { return (limit, limit, true) }
    let cut =
      whole.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? whole.lastIndex(of: UInt8(ascii: " "))
      // Never within a character: the space stays with the word behind it, as tokens have it.
      ?? (buffer[limit] & 0xC0 != 0x80 ? limit : whole.lastIndex { $0 & 0xC0 != 0x80 })
    let end = cut.map { $0 > start ? $0 : limit } ?? limit
    return (end, end, false)
  }

  /// The first stretch of line ends that holds a blank line: where the text before it ends, and the next begins.
  private static func blankLine(_ bytes: ArraySlice<UInt8>, isLast: Bool) -> (end: Int, next: Int)? {
    var lineEnd: Int?
    var next: Int?
    for (index, byte) in zip(bytes.indices, bytes) {
      switch byte {
      case UInt8(ascii: "\n"):
        if lineEnd == nil { lineEnd = index } else { next = index + 1 }
      case 0x20, 0x09, 0x0D: continue
      default:
        if let lineEnd, let next { return (lineEnd, next) }
        lineEnd = nil
      }
    }
    // At the end of what was read more line ends may follow; only at the end of the file that is all.
    if isLast, let lineEnd, let next { return (lineEnd, next) }
    return nil
  }

  private func string(_ bytes: ArraySlice<UInt8>, of file: Corpus.File) throws -> String {
    if corpus.options.invalidText == .replace { return String(decoding: bytes, as: UTF8.self) }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw failure(file, "is not UTF-8 (--replace-invalid reads on)", line: cursor.line + UTF8Check.badLine(bytes))
    }
    return text
  }

  private func failure(_ file: Corpus.File, _ reason: String, line: Int? = nil) -> ActivationError {
    .text(path: file.path, line: (line ?? cursor.line) + 1, reason: reason)
  }
}

/// Finds where bytes stop being UTF-8.
enum UTF8Check {
  /// Line ends before the first byte that is not UTF-8.
  static func badLine(_ bytes: ArraySlice<UInt8>) -> Int {
    var line = 0
    for part in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      if String(validating: part, as: UTF8.self) == nil { return line }
      line += 1
    }
    return max(line - 1, 0)
  }
}
