import Foundation
import GRDB

/// What features of an atlas are explained from: its examples, split by sequence, the windows of its pool in which a
/// feature is known to be silent, the tokens it raises and lowers, and its rate.
public final class AtlasEvidence {
  private struct PoolWindow {
    let window: TokenWindow
    let split: Int
    /// For each dictionary the features that are on: i at bit i mod 8 of byte i div 8.
    let active: [Int: Data]
  }

  private let atlas: Atlas
  private let pieces: [Int32: String]
  private let pool: [PoolWindow]

  /// Reads the pool and the spelling of tokens; features are read one by one.
  /// - Throws: `AtlasError.file`.
  public init(_ atlas: Atlas) throws {
    self.atlas = atlas
    (pieces, pool) = try atlas.read { db in
      let rows = try Row.fetchAll(db, sql: "SELECT id, piece FROM token")
      // Numbers that no token has are left out.
      let spelled = rows.compactMap { row in Int32(exactly: row["id"] as Int).map { ($0, row["piece"] as String) } }
      let pieces = Dictionary(spelled) { first, _ in first }
      return (pieces, try Self.pool(db, pieces, atlas))
    }
  }

  private static func pool(_ db: Database, _ pieces: [Int32: String], _ atlas: Atlas) throws -> [PoolWindow] {
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT pool_window.*, sequence.tokens AS sequence_tokens
        FROM pool_window JOIN sequence ON sequence.id = sequence_id ORDER BY pool_window.id
        """)
    var windows: [PoolWindow] = []
    while let row = try rows.next() {
      let bits = try Row.fetchAll(
        db, sql: "SELECT dictionary_id, bits FROM pool_active WHERE window_id = ?", arguments: [row["id"] as Int])
      windows.append(
        PoolWindow(
          window: TokenWindow(silentIn: row["sequence_id"], pieces: try spelled(row, pieces, atlas)),
          split: row["split"],
          active: Dictionary(bits.map { ($0["dictionary_id"] as Int, $0["bits"] as Data) }) { first, _ in first }))
    }
    return windows
  }

  /// The tokens of a row's window as the vocabulary spells them.
  private static func spelled(_ row: Row, _ pieces: [Int32: String], _ atlas: Atlas) throws -> [String] {
    let (start, length): (Int, Int) = (row["start"], row["length"])
    let all = try Blob.integers(row["sequence_tokens"], Int32.self, "sequence.tokens")
    guard start >= 0, length > 0, length <= all.count, start <= all.count - length else {
      throw AtlasError.file(path: atlas.url.path, reason: "a window of \(length) tokens at \(start) of \(all.count)")
    }
    return try all[start..<start + length].map { id in
      guard let piece = pieces[id] else {
        throw AtlasError.file(path: atlas.url.path, reason: "token \(id) is missing")
      }
      return piece
    }
  }

  /// What there is of one feature; its key is the feature's name.
  /// - Throws: `AtlasError.dictionary`, `.feature`, `.file`; `ExplanationError.evidence` for an atlas that disagrees
  ///   with itself.
  public func feature(_ key: FeatureKey) throws -> ExplainedFeature {
    let dictionary = try atlas.dictionary(key.dictionary)
    let id = try dictionary.feature(key)
    return try atlas.read { db in
      let rate = try Double.fetchOne(db, sql: "SELECT rate FROM feature WHERE id = ?", arguments: [id])
      let examples = try self.examples(id, db)
      let (top, bottom) = try effects(id, db)
      let offset = id - dictionary.firstFeature
      func evidence(_ split: Int) -> ExplainedFeature.Evidence {
        let silent = pool.filter { $0.split == split && isSilent(offset, dictionary.id, in: $0) }
        return ExplainedFeature.Evidence(
          examples: examples.filter { $0.split == split }.map(\.window), negatives: silent.map(\.window))
      }
      return try ExplainedFeature(
        key: dictionary.key(offset).description, explain: evidence(0), test: evidence(1), topTokens: top,
        bottomTokens: bottom, rate: rate)
    }
  }

  /// Windows whose features are not known are no silent ones.
  private func isSilent(_ feature: Int, _ dictionary: Int, in window: PoolWindow) -> Bool {
    guard let bits = window.active[dictionary], feature / 8 < bits.count else { return false }
    return bits[bits.startIndex + feature / 8] & (1 << UInt8(feature % 8)) == 0
  }

  private func examples(_ id: Int, _ db: Database) throws -> [(window: TokenWindow, split: Int)] {
    let statement = try db.cachedStatement(
      sql: """
        SELECT example.bin, example.sequence_id, example.start, example.length, example.active, example.split,
          sequence.tokens AS sequence_tokens
        FROM example JOIN sequence ON sequence.id = sequence_id WHERE feature_id = ? ORDER BY bin, rank
        """)
    return try Row.fetchAll(statement, arguments: [id]).map { row in
      let pieces = try Self.spelled(row, self.pieces, atlas)
      var activations = [Float](repeating: 0, count: pieces.count)
      for token in try ActiveBlob.decode(row["active"]) where token.offset < pieces.count {
        activations[token.offset] = token.activation
      }
      let bin: Int = row["bin"]
      return (
        TokenWindow(
          sequence: row["sequence_id"], pieces: pieces, activations: activations, interval: bin < 0 ? nil : bin),
        row["split"]
      )
    }
  }

  private func effects(
    _ id: Int, _ db: Database
  ) throws -> (top: [ExplainedFeature.TokenEffect], bottom: [ExplainedFeature.TokenEffect]) {
    let statement = try db.cachedStatement(
      sql: "SELECT top_tokens, top_values, bottom_tokens, bottom_values FROM logits WHERE feature_id = ?")
    guard let row = try Row.fetchOne(statement, arguments: [id]) else { return ([], []) }
    func list(_ tokens: String, _ values: String) throws -> [ExplainedFeature.TokenEffect] {
      let ids = try Blob.integers(row[tokens], Int32.self, "logits.\(tokens)")
      return try zip(ids, Blob.floats(row[values], "logits.\(values)")).map { id, value in
        guard let piece = pieces[id] else {
          throw AtlasError.file(path: atlas.url.path, reason: "token \(id) is missing")
        }
        return ExplainedFeature.TokenEffect(piece, value)
      }
    }
    return (try list("top_tokens", "top_values"), try list("bottom_tokens", "bottom_values"))
  }
}
