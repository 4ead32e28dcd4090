import Foundation
import GRDB
import Tokenization

/// Writes features, their examples and what these refer to, within one transaction.
final class FeatureWriter {
  private let db: Database
  /// The tokens of a sequence, and the norms' denominators where they are known.
  private let sequence: (Int) throws -> SequenceStore.Sequence
  private let seed: UInt64
  private let tokenizer: GemmaTokenizer
  /// What is there already.
  private var sequences: Set<Int>
  private var tokens: Set<Int32>

  static let quantiles = [0.1, 0.25, 0.5, 0.75, 0.9, 0.99]

  init(
    _ db: Database, seed: UInt64, tokenizer: GemmaTokenizer,
    sequence: @escaping (Int) throws -> SequenceStore.Sequence
  ) throws {
    self.db = db
    self.sequence = sequence
    self.seed = seed
    self.tokenizer = tokenizer
    sequences = try Set(Int.fetchAll(db, sql: "SELECT id FROM sequence"))
    tokens = try Set(Int32.fetchAll(db, sql: "SELECT id FROM token"))
  }

  /// - Parameter passed: tokens counted so far.
  func write(_ tally: FeatureTally, feature id: Int, passed: Int) throws {
    let best = tally.top.list.first
    let quantiles = Self.quantiles.compactMap { tally.sketch.quantile($0) }
    try db.cachedStatement(
      sql: """
        UPDATE feature SET count = ?, sequences = ?, rate = ?, mean = ?, max = ?, max_sequence = ?, max_position = ?,
          quantiles = ?, sketch = ? WHERE id = ?
        """
    ).execute(arguments: [
      tally.count, tally.sequences, passed > 0 ? Double(tally.count) / Double(passed) : 0, tally.mean,
      best.map { Double($0.activation) }, best.map { Int($0.sequence) }, best.map { Int($0.position) },
      quantiles.isEmpty ? nil : Blob.of(quantiles), tally.count > 0 ? Data(tally.sketch.encoded) : nil, id,
    ])
  }

  /// Writes one example.
  /// - Parameters:
  ///   - bin: the interval it stands for, −1 for top examples.
  ///   - effects: one for each active token of its window, where they are known.
  ///   - isPartial: whether other firings of the window may be missing.
  func write(
    _ example: KeptExample, feature id: Int, bin: Int, rank: Int, effects: [Float?]? = nil, isPartial: Bool = false
  ) throws {
    let sequence = Int(example.sequence)
    try write(sequence: sequence)
    let active = example.active.enumerated().map { index, token in
      (offset: token.offset, activation: token.activation, effect: effects?[index])
    }
    let own = example.active.firstIndex { Int32($0.offset) + example.start == example.position }
    let effect = own.flatMap { effects?[$0] }
    try db.cachedStatement(
      sql: """
        INSERT INTO example(feature_id, bin, rank, sequence_id, position, activation, effect, start, length, active,
          sources, split, partial) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      id, bin, rank, sequence, Int(example.position), Double(example.activation), effect.map { Double($0) },
      Int(example.start), Int(example.length), ActiveBlob.encode(active), example.sources.map(SourcesBlob.encode),
      WindowPool.split(seed: seed, sequence: sequence), isPartial ? 1 : 0,
    ])
  }

  /// Writes a feature's most raised and lowered tokens.
  func write(
    top: [LogitTable.Entry], bottom: [LogitTable.Entry], histogram: Data?, feature id: Int
  ) throws {
    try write(tokens: (top + bottom).map(\.token))
    try db.cachedStatement(
      sql: """
        INSERT INTO logits(feature_id, top_tokens, top_values, bottom_tokens, bottom_values, histogram)
        VALUES (?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      id, Blob.of(top.map(\.token)), Blob.of(top.map(\.value)), Blob.of(bottom.map(\.token)),
      Blob.of(bottom.map(\.value)), histogram,
    ])
  }

  /// Writes how many activations of a feature lie in an interval.
  func write(_ interval: ActivationSketch.Interval, bin: Int, feature id: Int) throws {
    try db.cachedStatement(sql: "INSERT INTO interval(feature_id, bin, lower, upper, count) VALUES (?, ?, ?, ?, ?)")
      .execute(arguments: [id, bin, Double(interval.lower), Double(interval.upper), interval.count])
  }

  /// Writes a window of the pool, with the features of each dictionary that are on in it, a bit each.
  func write(poolWindow id: Int, sequence: Int, start: Int, length: Int, active: [Data]) throws {
    try write(sequence: sequence)
    try db.cachedStatement(
      sql: "INSERT INTO pool_window(id, sequence_id, start, length, split) VALUES (?, ?, ?, ?, ?)"
    ).execute(arguments: [id, sequence, start, length, WindowPool.split(seed: seed, sequence: sequence)])
    let statement = try db.cachedStatement(
      sql: "INSERT INTO pool_active(window_id, dictionary_id, bits) VALUES (?, ?, ?)")
    for (index, bits) in active.enumerated() { try statement.execute(arguments: [id, index, bits]) }
  }

  /// Writes a sequence and its tokens unless they are there.
  func write(sequence: Int) throws {
    guard sequences.insert(sequence).inserted else { return }
    let found = try self.sequence(sequence)
    try db.cachedStatement(sql: "INSERT INTO sequence(id, tokens, scales) VALUES (?, ?, ?)").execute(arguments: [
      sequence, Blob.of(found.tokens), found.scales.isEmpty ? nil : Blob.of(found.scales.flatMap { $0 }),
    ])
    try write(tokens: found.tokens)
  }

  func write(tokens ids: [Int32]) throws {
    let statement = try db.cachedStatement(sql: "INSERT INTO token(id, piece, bytes) VALUES (?, ?, ?)")
    for id in ids where tokens.insert(id).inserted {
      let bytes = (try? tokenizer.decodeBytes([id])) ?? []
      try statement.execute(arguments: [Int(id), tokenizer.piece(id), Data(bytes)])
    }
  }
}
