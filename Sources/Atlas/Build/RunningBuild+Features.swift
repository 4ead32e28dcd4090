import Activations
import Dictionaries
import Foundation
import GRDB
import Gemma
import Sites
import Tensors
import Tokenization

extension RunningBuild {
  /// Features whose logits are formed together: each block unpacks the whole unembedding, but its logits take memory,
  /// 100 MB for a vocabulary of 262,144.
  private var block: Int { min(builder.model.rowsUnembeddedAtOnce, 96) }

  /// Writes the final rows of all features: statistics, intervals, examples with their effects, logit tables.
  func writeFeatures(_ report: (BuildProgress) throws -> Void) throws {
    let total = builder.plan.features
    for (index, tally) in state.tallies.enumerated() {
      let step = "features \(index)"
      var next = try done(step)
      while next < tally.features.count {
        try builder.check()
        try report(BuildProgress(stage: .features, done: builder.firstFeatures[index] + next, total: total))
        let block = next..<min(next + self.block, tally.features.count)
        let live = block.filter { tally.features[$0].count > 0 }
        let tables = try logitTables(index, live)
        try commit(step, block.upperBound) { try write(tally, index, block, tables, $0) }
        next = block.upperBound
      }
    }
  }

  /// What the logits step knows of a feature.
  struct Logits {
    let table: LogitTable
    /// All its examples, with the effects at the active tokens of each.
    let examples: [PlacedEffects]
  }

  /// An example, and the interval it stands for: −1 for top examples.
  typealias ExamplePlace = (bin: Int, rank: Int, example: KeptExample)
  /// An example, with the effect at each of its active tokens where there is one.
  typealias PlacedEffects = (place: ExamplePlace, effects: [Float?])

  /// All examples of a feature, with the interval they stand for.
  func examples(of tally: FeatureTally) -> [ExamplePlace] {
    let top = tally.top.list.enumerated().map { (bin: -1, rank: $0, example: $1) }
    return top
      + tally.sketch.intervals.enumerated().flatMap { bin, interval in
        tally.binned.examples(of: interval).enumerated().map { (bin: bin, rank: $0, example: $1) }
      }
  }

  /// The logit table of each of `features`, and the effects of its examples.
  ///
  /// A feature's direct effect on the logits is `W_U (r ∘ g)` per unit of activation, before the division by the final
  /// norm's denominator: r the feature's direction in the residual stream and g = 1 + w the final norm's gain. As the
  /// norm of one vector is the vector times g over its own √(mean(r²) + ε), this is `unembed(r)` times that root.
  private func logitTables(_ index: Int, _ features: [Int]) throws -> [Int: Logits] {
    guard let first = features.first, let last = features.last else { return [:] }
    let model = builder.model
    let directions = FeatureDirections(dictionary: builder.dictionaries[index], model: model)
    let rows = try model.backend.select(
      directions.residualDirections(first..<last + 1), rows: features.map { $0 - first })
    let (scales, unembedded) = (try model.finalNormScales(rows), try model.unembed(rows))
    let spreads = try model.backend.spreads(
      unembedded, entries: min(LogitTable.entries, unembedded.rowLength), bars: LogitTable.bars)
    let kind = directions.site.kind == .attnOut ? builder.attentionLayers.firstIndex(of: directions.site.layer) : nil
    let tally = state.tallies[index]
    let found = try Concurrently.map(Array(features.enumerated())) { row, feature in
      let examples = try unembedded.rows(row..<row + 1).withFloats { logits -> [PlacedEffects] in
        try self.examples(of: tally.features[feature]).map {
          ($0, try self.effects(of: $0.example, logits, scale: scales[row], attention: kind))
        }
      }
      return Logits(table: LogitTable(spreads[row], scale: scales[row]), examples: examples)
    }
    return Dictionary(zip(features, found)) { first, _ in first }
  }

  /// The effect of a feature at each active token of a window on the logit of the token that came next, norms held as
  /// they were: activation · logits[next] · scale / σ, for attention also over the denominator of the norm after attention.
  private func effects(
    of example: KeptExample, _ logits: UnsafeBufferPointer<Float>, scale: Float, attention: Int?
  ) throws -> [Float?] {
    let sequence = try store.read(Int(example.sequence))
    return example.active.map { token in
      let position = Int(example.start) + Int(token.offset)
      guard position + 1 < sequence.tokens.count else { return nil }
      let next = sequence.tokens[position + 1]
      guard !builder.tokenizer.isSpecial(next), logits.indices ~= Int(next) else { return nil }
      var effect = token.activation * (logits[Int(next)] * scale) / sequence.scales[0][position]
      if let attention { effect /= sequence.scales[1 + attention][position] }
      return effect
    }
  }

  private func write(
    _ tally: DictionaryTally, _ index: Int, _ block: Range<Int>, _ tables: [Int: Logits], _ db: Database
  ) throws {
    let writer = try makeWriter(db)
    let first = builder.firstFeatures[index]
    let ids = first + block.lowerBound...first + block.upperBound - 1
    for table in ["example", "interval", "logits"] {
      try db.execute(
        sql: "DELETE FROM \(table) WHERE feature_id BETWEEN ? AND ?", arguments: [ids.lowerBound, ids.upperBound])
    }
    for feature in block {
      let (id, counted) = (first + feature, tally.features[feature])
      try writer.write(counted, feature: id, passed: state.cursor.counted)
      for (bin, interval) in counted.sketch.intervals.enumerated() {
        try writer.write(interval, bin: bin, feature: id)
      }
      // Features that were never on have neither.
      guard let logits = tables[feature] else { continue }
      for (place, effects) in logits.examples {
        try writer.write(place.example, feature: id, bin: place.bin, rank: place.rank, effects: effects)
      }
      let table = logits.table
      try writer.write(top: table.top, bottom: table.bottom, histogram: table.histogram, feature: id)
    }
  }
}
