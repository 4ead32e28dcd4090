import Foundation
import GRDB

extension Atlas {
  /// Examples of a feature: the top ones best first, those of an interval in the order of their sample.
  /// - Throws: `AtlasError.dictionary`, `.feature`, `.file`.
  public func examples(_ key: FeatureKey, _ group: ExampleGroup) throws -> [AtlasExample] {
    let id = try dictionary(key.dictionary).feature(key)
    let bin =
      switch group {
      case .top: -1
      case .interval(let bin): bin
      }
    return try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT example.*, sequence.tokens AS sequence_tokens FROM example JOIN sequence ON sequence.id = sequence_id
          WHERE feature_id = ? AND bin = ? ORDER BY rank
          """, arguments: [id, bin]
      ).map { try example($0, db) }
    }
  }

  /// The largest example of a feature, by its number in the database.
  func best(_ id: Int, _ db: Database) throws -> AtlasExample? {
    try Row.fetchOne(
      db,
      sql: """
        SELECT example.*, sequence.tokens AS sequence_tokens FROM example JOIN sequence ON sequence.id = sequence_id
        WHERE feature_id = ? AND bin = -1 AND rank = 0
        """, arguments: [id]
    ).map { try example($0, db) }
  }

  private func example(_ row: Row, _ db: Database) throws -> AtlasExample {
    let (start, length): (Int, Int) = (row["start"], row["length"])
    let all = try Blob.integers(row["sequence_tokens"], Int32.self, "sequence.tokens")
    let position: Int = row["position"]
    guard start >= 0, length >= 0, length <= all.count, start <= all.count - length,
      start..<start + length ~= position
    else {
      throw AtlasError.file(
        path: url.path, reason: "an example at \(position), its window of \(length) tokens at \(start) of \(all.count)")
    }
    var activations = [Float](repeating: 0, count: length)
    var effects = [Float?](repeating: nil, count: length)
    for token in try ActiveBlob.decode(row["active"]) where token.offset < length {
      activations[token.offset] = token.activation
      effects[token.offset] = token.effect
    }
    let sources = try (row["sources"] as Data?).map { blob in
      let stored = try SourcesBlob.decode(blob, length: length)
      let known = stored.outside.filter { all.indices ~= Int($0.position) }
      let tokens = try self.tokens(known.map { all[Int($0.position)] }, db)
      return AtlasExample.Sources(
        window: stored.window, begin: stored.begin, elsewhere: stored.elsewhere,
        outside: zip(known, tokens).map { (Int($0.position), $1, $0.value) })
    }
    return AtlasExample(
      sequence: row["sequence_id"], position: position, activation: row["activation"], effect: row["effect"],
      start: start, tokens: try tokens(Array(all[start..<start + length]), db), activations: activations,
      effects: effects, sources: sources, split: row["split"], isPartial: (row["partial"] as Int) != 0)
  }
}
