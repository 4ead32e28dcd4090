import Activations
import GRDB
import Tokenization

extension RunningBuild {
  /// Brings what readers see up to `state`: statistics and top examples; the rest comes when the pass is done.
  func flush(_ state: BuildState, _ db: Database) throws {
    try writeProgress(state, db)
    try db.execute(sql: "DELETE FROM example")
    let writer = try makeWriter(db)
    for (tally, first) in zip(state.tallies, builder.firstFeatures) {
      for (feature, counted) in tally.features.enumerated() where counted.count > 0 {
        try writer.write(counted, feature: first + feature, passed: state.cursor.counted)
        for (rank, example) in counted.top.list.enumerated() {
          try writer.write(example, feature: first + feature, bin: -1, rank: rank)
        }
      }
    }
  }

  /// Over how many tokens and sequences what stands in the file was counted.
  func writeProgress(_ state: BuildState, _ db: Database) throws {
    try AtlasBuilder.set("tokens", "\(state.cursor.counted)", db)
    try AtlasBuilder.set("sequences", "\(state.cursor.sequence)", db)
  }

  func makeWriter(_ db: Database) throws -> FeatureWriter {
    try FeatureWriter(db, seed: options.seed, tokenizer: builder.tokenizer, sequence: store.read)
  }
}
