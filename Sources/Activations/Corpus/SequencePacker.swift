package import Tokenization

/// Tokens for one pass of the model.
package struct PackedSequence: Equatable, Sendable {
  /// Place among all sequences of the corpus.
  package let index: Int
  /// The first is `<bos>`.
  package let tokens: [Int32]
  /// Positions that count: not special, and within the token limit.
  package let counted: [Int]
}

/// Cuts a corpus into sequences, as `PackingOptions` says.
package final class SequencePacker {
  private let corpus: Corpus
  private let tokenizer: GemmaTokenizer
  private let options: PackingOptions
  private var reader: DocumentReader
  /// The tokens of the current piece, and where they come from.
  private var tokens: [Int32] = []
  private var piece: CorpusCursor
  private var used = 0
  private var sequence: Int
  private var counted: Int

  /// - Parameter cursor: where to begin; a place that a packer with the same arguments has reached.
  /// - Throws: `ActivationError`.
  package init(
    _ corpus: Corpus, tokenizer: GemmaTokenizer, options: PackingOptions, at cursor: SequenceCursor = SequenceCursor()
  ) throws {
    try options.validate()
    guard cursor.sequence >= 0, cursor.counted >= 0, cursor.token >= 0 else {
      throw ActivationError.state(reason: "a negative count")
    }
    self.corpus = corpus
    self.tokenizer = tokenizer
    self.options = options
    reader = try DocumentReader(corpus, at: cursor.piece)
    piece = cursor.piece
    sequence = cursor.sequence
    counted = cursor.counted
    guard cursor.token > 0 else { return }
    guard let next = try reader.next(), next.cursor == cursor.piece else {
      throw ActivationError.state(reason: "the corpus has no text at \(cursor.piece)")
    }
    try take(next)
    guard cursor.token <= tokens.count else {
      throw ActivationError.state(reason: "the text at \(cursor.piece) has only \(tokens.count) tokens")
    }
    used = cursor.token
  }

  /// Where the next sequence begins.
  package var cursor: SequenceCursor {
    SequenceCursor(sequence: sequence, counted: counted, piece: piece, token: used)
  }

  /// The next sequence of this shard, or nil at the end.
  /// - Throws: `ActivationError` naming the file and line; `TokenizerError` for a vocabulary without chat.
  package func next() throws -> PackedSequence? {
    while let next = try pack() {
      if next.index % options.shardCount == options.shard { return next }
    }
    return nil
  }

  private func pack() throws -> PackedSequence? {
    let limit = options.tokenLimit ?? .max
    guard counted < limit else { return nil }
    var packed = [tokenizer.bos]
    packed.reserveCapacity(options.context)
    while packed.count < options.context {
      if used == tokens.count {
        guard let next = try reader.next() else { break }
        try take(next)
        continue
      }
      // The sequence's own <bos> serves a document that begins with it.
      if packed.count == 1, used == 0, tokens[0] == tokenizer.bos {
        used = 1
        continue
      }
      let count = min(options.context - packed.count, tokens.count - used)
      packed += tokens[used..<used + count]
      used += count
    }
    guard packed.count > 1 else { return nil }
    let positions = packed.indices.filter { !tokenizer.isSpecial(packed[$0]) }.prefix(limit - counted)
    defer {
      sequence += 1
      counted += positions.count
    }
    return PackedSequence(index: sequence, tokens: packed, counted: Array(positions))
  }

  /// Goes on with the tokens of `next`; those of a document's first piece begin with `<bos>` when documents are marked.
  private func take(_ next: CorpusPiece) throws {
    piece = next.cursor
    used = 0
    switch next.text {
    case .text(let text):
      tokens = tokenizer.encode(text, addBOS: false, specials: .asText)
      if options.marksDocuments, !next.cursor.isContinuation { tokens.insert(tokenizer.bos, at: 0) }
    case .chat(let json):
      do {
        tokens = try tokenizer.encode(chat: ChatConversation(json: json)).tokens.ids
      } catch TokenizerError.chat(let location, let reason) {
        let path = corpus.files[piece.file].path
        throw ActivationError.text(path: path, line: piece.line + 1, reason: "\(location): \(reason)")
      }
      if !options.marksDocuments { tokens.removeFirst() }
    }
  }
}
