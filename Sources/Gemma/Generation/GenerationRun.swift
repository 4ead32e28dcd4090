import Tensors

/// Sequences that grow together.
struct GenerationRun {
  /// One sequence.
  private struct Sequence {
    let session: GemmaSession
    var sampler: Sampler
    /// Positions before the first token produced.
    let promptLength: Int
    /// Tokens that may still be produced.
    var room: Int
    /// Tokens of the prompt that the model has not seen.
    var pending: ArraySlice<Int32>
    var tokens: [Int32] = []
    var stop: Generation.Stop?
    var endToken: Int32?
  }

  private let model: GemmaModel
  private let visitor: InterventionVisitor?
  private let options: GenerationOptions
  private let ends: Set<Int32>
  private var sequences: [Sequence]

  init(
    _ model: GemmaModel, prompts: [[Int32]], options: GenerationOptions, visitor: InterventionVisitor?,
    sessions: [GemmaSession]?
  ) throws {
    guard !prompts.isEmpty else { throw GemmaError.input("nothing to continue: expected at least one prompt") }
    guard options.maximumTokens >= 1 else {
      throw GemmaError.input("at most \(options.maximumTokens) tokens: expected at least one")
    }
    guard options.rowsPerPass >= 1 else {
      throw GemmaError.input("\(options.rowsPerPass) rows in a pass: expected at least one")
    }
    if let sessions, sessions.count != prompts.count {
      throw GemmaError.input("\(prompts.count) prompts but \(sessions.count) sessions")
    }
    let positions = model.configuration.maximumPositions
    sequences = try prompts.enumerated().map { index, prompt in
      guard !prompt.isEmpty else { throw GemmaError.input("prompt \(index) is empty: expected at least one token") }
      let session = try sessions?[index] ?? model.makeSession()
      let length = session.count + prompt.count
      guard length <= positions else {
        throw GemmaError.input("prompt \(index): \(length) tokens are more than the model's \(positions) positions")
      }
      return Sequence(
        session: session, sampler: try Sampler(options.sampling, backend: model.backend, stream: index),
        promptLength: length, room: min(options.maximumTokens, positions - length), pending: prompt[...])
    }
    self.model = model
    self.options = options
    self.visitor = visitor
    ends = options.stopTokens.union(options.stopsAtEndTokens ? model.configuration.endTokens : [])
  }

  /// Sequences that still grow.
  private var going: [Int] { sequences.indices.filter { sequences[$0].stop == nil } }
  var isGoing: Bool { sequences.contains { $0.stop == nil } }

  var results: [Generation] {
    sequences.map { Generation(tokens: $0.tokens, stopped: $0.stop ?? .length, endToken: $0.endToken) }
  }

  /// Reads the prompts, as many rows a pass as allowed, and chooses the first token of each.
  mutating func prefill(check: CancellationCheck, onToken: (Int, Int32) throws -> Void) throws {
    for index in sequences.indices where sequences[index].room == 0 { sequences[index].stop = .length }
    while true {
      var pieces: [(sequence: Int, tokens: [Int32])] = []
      var rows = options.rowsPerPass
      for index in sequences.indices where rows > 0 && !sequences[index].pending.isEmpty {
        let tokens = Array(sequences[index].pending.prefix(rows))
        sequences[index].pending.removeFirst(tokens.count)
        rows -= tokens.count
        pieces.append((index, tokens))
      }
      guard !pieces.isEmpty else { return }
      try check()
      let isComplete = pieces.map { sequences[$0.sequence].pending.isEmpty && sequences[$0.sequence].stop == nil }
      let logits = try pass(pieces, wantsLogits: isComplete.contains(true), check: check)
      try choose(pieces.indices.filter { isComplete[$0] }, of: pieces.map(\.sequence), logits, onToken)
    }
  }

  /// One more token for every sequence that goes on.
  mutating func step(check: CancellationCheck, onToken: (Int, Int32) throws -> Void) throws {
    try check()
    let pieces = going.compactMap { index in sequences[index].tokens.last.map { (sequence: index, tokens: [$0]) } }
    let logits = try pass(pieces, wantsLogits: true, check: check)
    try choose(Array(pieces.indices), of: pieces.map(\.sequence), logits, onToken)
  }

  private func pass(
    _ pieces: [(sequence: Int, tokens: [Int32])], wantsLogits: Bool, check: CancellationCheck
  ) throws -> Tensor? {
    visitor?.promptLengths = pieces.map { sequences[$0.sequence].promptLength }
    visitor?.sequences = pieces.map(\.sequence)
    return try model.forward(
      pieces.map(\.tokens), logits: wantsLogits ? .last : .none, visitor: visitor,
      sessions: pieces.map { sequences[$0.sequence].session },
      check: check
    ).logits
  }

  /// Chooses from rows `rows` of the logits, row r belonging to sequence `owners[r]`.
  private mutating func choose(
    _ rows: [Int], of owners: [Int], _ logits: Tensor?, _ onToken: (Int, Int32) throws -> Void
  ) throws {
    guard let logits, !rows.isEmpty else { return }
    if options.sampling.temperature == 0 {
      let wanted = rows.count == logits.rows ? logits : try model.backend.select(logits, rows: rows)
      let best = try Sampler.mostProbable(wanted, backend: model.backend)
      for (row, token) in zip(rows, best) { try append(token, to: owners[row], onToken) }
    } else {
      for row in rows {
        try append(try sequences[owners[row]].sampler.next(try logits.rows(row..<row + 1)), to: owners[row], onToken)
      }
    }
  }

  private mutating func append(_ token: Int32, to index: Int, _ onToken: (Int, Int32) throws -> Void) throws {
    if ends.contains(token) {
      sequences[index].stop = .eos
      sequences[index].endToken = token
      return
    }
    sequences[index].tokens.append(token)
    sequences[index].room -= 1
    if sequences[index].room == 0 { sequences[index].stop = .length }
    try onToken(index, token)
  }
}
