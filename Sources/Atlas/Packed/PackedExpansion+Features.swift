import Checkpoints
import Dictionaries
import Foundation
import GRDB
import Gemma
import Tensors
import Tokenization

extension PackedExpansion {
  private static var block: Int { 256 }

  /// Writes the features of a dictionary with everything that is theirs but neighbours.
  func writeFeatures(_ index: Int, _ writer: FeatureWriter, _ effects: ExampleEffects, _ db: Database) throws {
    let (dictionary, first) = (contents.dictionaries[index], firstFeatures[index])
    let directions = FeatureDirections(dictionary: dictionaries[index], model: model)
    let prefixes = dictionary.prefixes.flatMap { text -> [Int]? in
      guard case .array(let list)? = try? JSONTree(Array(text.utf8)) else { return nil }
      return list.compactMap(\.integer)
    }
    for start in stride(from: 0, to: dictionary.features, by: Self.block) {
      try check()
      let block = start..<min(start + Self.block, dictionary.features)
      let rows = try directions.residualDirections(block)
      let (values, width) = (try rows.read(), rows.rowLength)
      for feature in block {
        let id = first + feature
        let place = feature % dictionary.width
        try insert(id, index, read: feature / dictionary.width, place, prefixes?.first { $0 > place }, db)
        guard contents.features[id].sequences > 0 else { continue }
        let row = (feature - start) * width
        try write(id, values[row..<row + width], isAttention: dictionary.isAttention, writer, effects)
        for (bin, interval) in contents.features[id].intervals.enumerated() {
          try writer.write(interval, bin: bin, feature: id)
        }
      }
    }
  }

  private func insert(
    _ id: Int, _ dictionary: Int, read: Int, _ place: Int, _ prefix: Int?, _ db: Database
  ) throws {
    let feature = contents.features[id]
    let isLive = feature.sequences > 0
    let (count, tokens) = (feature.sketch.count, contents.number("tokens") ?? 0)
    let best = feature.examples.first { $0.bin < 0 }
    let quantiles = feature.quantiles.map { ActivationSketch.middle(of: $0) }
    try db.cachedStatement(
      sql: """
        INSERT INTO feature(id, dictionary_id, read, idx, count, sequences, rate, mean, max, max_sequence, max_position,
          prefix, quantiles, sketch) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      id, dictionary, read, place, count, feature.sequences, tokens > 0 ? Double(count) / Double(tokens) : 0,
      isLive ? Double(PackedNumber.fine(feature.mean) as Float) : nil,
      best.map { Double(PackedNumber.fine($0.activation) as Float) },
      best.map { contents.sequences[$0.sequence].number }, best?.position, prefix,
      quantiles.isEmpty ? nil : Blob.of(quantiles), isLive ? Data(feature.sketch.encoded) : nil,
    ])
  }

  private func write(
    _ id: Int, _ direction: ArraySlice<Float>, isAttention: Bool, _ writer: FeatureWriter, _ effects: ExampleEffects
  ) throws {
    let feature = contents.features[id]
    var wanted = Set(feature.raised + feature.lowered)
    for example in feature.examples { wanted.formUnion(example.active.compactMap { next(after: $0, of: example) }) }
    let logits = try effects.logits(direction, of: wanted)
    var ranks: [Int: Int] = [:]
    for example in feature.examples {
      let rank = ranks[example.bin, default: 0]
      ranks[example.bin] = rank + 1
      let (kept, values) = self.kept(example, logits, isAttention: isAttention)
      try writer.write(kept, feature: id, bin: example.bin, rank: rank, effects: values)
    }
    guard !feature.raised.isEmpty || !feature.lowered.isEmpty else { return }
    func table(_ tokens: [Int32]) -> [LogitTable.Entry] {
      tokens.map { LogitTable.Entry(token: $0, value: logits[$0] ?? 0) }
    }
    try writer.write(top: table(feature.raised), bottom: table(feature.lowered), histogram: nil, feature: id)
  }

  /// The token that came after one of a window; nil for the last of a sequence, and before special ones.
  private func next(after active: PackedContents.Active, of example: PackedContents.Example) -> Int32? {
    let tokens = contents.sequences[example.sequence].tokens
    let position = example.start + active.offset + 1
    guard position < tokens.count, !tokenizer.isSpecial(tokens[position]) else { return nil }
    return tokens[position]
  }

  private func kept(
    _ example: PackedContents.Example, _ logits: [Int32: Float], isAttention: Bool
  ) -> (KeptExample, [Float?]) {
    let sequence = contents.sequences[example.sequence]
    let own: Float = PackedNumber.fine(example.activation)
    let active = example.active.map { token in
      KeptExample.Active(
        offset: UInt8(clamping: token.offset),
        activation: example.start + token.offset == example.position ? own : PackedNumber.rough(token.strength))
    }
    let effects = zip(example.active, active).map { packed, token -> Float? in
      guard let next = self.next(after: packed, of: example), let logit = logits[next] else { return nil }
      let divisor: Float = PackedNumber.coarse(sequence.scales[example.start + packed.offset])
      let effect = token.activation * logit / divisor
      return isAttention ? effect / PackedNumber.coarse(packed.scale) : effect
    }
    let sources = example.sources.map { sources in
      let step: Float = PackedNumber.fine(sources.scale) / 127
      let values = sources.values.map { Float($0) * step }
      return KeptExample.Sources(
        window: Array(values.prefix(example.length)), begin: values[example.length],
        elsewhere: values[example.length + 1],
        outside: sources.outside.map { (position: Int32($0.position), value: Float($0.value) * step) })
    }
    let kept = KeptExample(
      activation: own, sequence: Int32(sequence.number), position: Int32(example.position),
      start: Int32(example.start), length: Int32(example.length), active: active, sources: sources)
    return (kept, effects)
  }
}
