import Activations
import Dictionaries
import Foundation
import GRDB
import Gemma
import Tensors
import Tokenization

extension RunningBuild {
  /// Does what is left after the pass, step by step; each is one or several transactions.
  func finish(_ report: (BuildProgress) throws -> Void) throws {
    if isComplete { return }
    try writeFeatures(report)
    try writePool()
    for (index, tally) in state.tallies.enumerated() where try done("coactive \(index)") == 0 {
      try builder.check()
      let partners = try tally.coactivation.partners(
        counts: tally.features.map(\.count), limit: NearestFeatures.limit, check: builder.check)
      try commit("coactive \(index)", 1) { db in
        for (feature, list) in partners.enumerated() {
          let first = builder.firstFeatures[index]
          try FeatureNeighbours.write(
            list.map { (first + $0.feature, $0.value, $0.tokens) }, of: first + feature, .coactive, db)
        }
      }
    }
    try writeNeighbours(report)
    if try done("search") == 0 { try commit("search", 1) { try SearchText.fill($0, check: builder.check) } }
    try complete()
  }

  private func writePool() throws {
    guard try done("pool") == 0 else { return }
    try commit("pool", 1) { db in
      let writer = try makeWriter(db)
      for (id, window) in state.pool.halves.flatMap({ $0 }).enumerated() {
        let active = zip(window.active, builder.dictionaries).map { words, dictionary in
          Blob.of(words).prefix((dictionary.shape.totalWidth + 7) / 8)
        }
        try writer.write(
          poolWindow: id, sequence: Int(window.sequence), start: Int(window.start), length: options.window,
          active: active)
      }
    }
  }

  /// Keeps what is referred to, and declares the atlas whole.
  private func complete() throws {
    try pool.write { db in
      try db.execute(
        sql: """
          DELETE FROM sequence WHERE id NOT IN (SELECT sequence_id FROM example)
            AND id NOT IN (SELECT sequence_id FROM pool_window)
          """)
      try keepTokens(db)
      for (index, tally) in state.tallies.enumerated() {
        let pairs = tally.features.reduce(0) { $0 + $1.count }
        let passed = state.cursor.counted
        try db.execute(
          sql: "UPDATE dictionary SET tokens = ?, l0 = ? WHERE id = ?",
          arguments: [passed, passed > 0 ? Double(pairs) / Double(passed) : nil, index])
        if case .sample(let sample) = tally.coactivation {
          try AtlasBuilder.set("coactive_tokens \(index)", "\(sample.tokens.count)", db)
        }
      }
      try AtlasBuilder.set("tokens", "\(state.cursor.counted)", db)
      try AtlasBuilder.set("sequences", "\(state.cursor.sequence)", db)
      try AtlasBuilder.set("completed", Date.now.ISO8601Format(), db)
      try AtlasBuilder.set("state", "complete", db)
      try db.execute(sql: "DELETE FROM build; DELETE FROM step")
      try db.execute(sql: Schema.indexes)
      try db.execute(sql: "ANALYZE")
    }
  }

  /// Leaves the tokens of the sequences and logit tables that are there.
  private func keepTokens(_ db: Database) throws {
    var wanted: Set<Int32> = []
    for query in [
      "SELECT tokens FROM sequence", "SELECT top_tokens FROM logits", "SELECT bottom_tokens FROM logits",
    ] {
      let blobs = try Data.fetchCursor(db, sql: query)
      while let blob = try blobs.next() { wanted.formUnion(try Blob.integers(blob, Int32.self, query)) }
    }
    for id in try Int32.fetchAll(db, sql: "SELECT id FROM token") where !wanted.contains(id) {
      try db.execute(sql: "DELETE FROM token WHERE id = ?", arguments: [id])
    }
  }
}
