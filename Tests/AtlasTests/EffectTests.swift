import Atlas
import Checkpoints
import Dictionaries
import Gemma
import Sites
import Tensors
import TestSupport
import Testing
import Tokenization

/// What the atlas says of logits, neighbours and attention, against sums written out.
@Suite struct EffectTests {
  let tiny: TinyAtlas
  let reference: DenseReference
  let atlas: Atlas
  let weights: SafetensorsCheckpoint

  init() throws {
    tiny = try TinyAtlas()
    reference = try DenseReference(tiny)
    atlas = try tiny.build()
    weights = try SafetensorsCheckpoint(Fixtures.url("gemma/causal"))
  }

  private func key(_ dictionary: SparseDictionary, _ feature: Int) -> FeatureKey {
    let read = feature / dictionary.shape.width
    return FeatureKey(
      dictionary: dictionary.name,
      layer: dictionary.shape.reads.count > 1 ? dictionary.shape.reads[read].layer : nil,
      index: feature % dictionary.shape.width)
  }

  /// What a feature adds to the residual stream per unit.
  private func direction(_ dictionary: SparseDictionary, _ feature: Int) throws -> [Double] {
    let shape = dictionary.shape
    let row = try dictionary.decoderRow(
      read: feature / shape.width, feature: feature % shape.width, write: shape.writes.count - 1
    ).map(Double.init)
    guard shape.writes[0].kind == .attnOut else { return row }
    let layer = shape.writes[0].layer
    let output = try weights.tensor("model.layers.\(layer).self_attn.o_proj.weight")
    let gain = try weights.tensor("model.layers.\(layer).post_attention_layernorm.weight").read()
    let values = try output.read()
    return gain.indices.map { i in
      (1 + Double(gain[i])) * row.indices.reduce(0.0) { $0 + Double(values[i * row.count + $1]) * row[$1] }
    }
  }

  /// Of every token.
  private func logits(_ direction: [Double]) throws -> [Double] {
    let gain = try tiny.model.finalNormGain.read()
    let count = tiny.model.configuration.vocabularySize
    let rows = try tiny.model.unembeddingRows((0..<Int32(count)).map { $0 }).read()
    return (0..<count).map { token in
      direction.indices.reduce(0.0) {
        $0 + direction[$1] * Double(gain[$1]) * Double(rows[token * direction.count + $1])
      }
    }
  }

  @Test func logitTablesAndEffectsAreTheDirectPath() throws {
    var effects = 0
    for dictionary in tiny.dictionaries {
      for feature in stride(from: 0, to: dictionary.shape.totalWidth, by: 5) {
        let key = key(dictionary, feature)
        guard let table = try atlas.feature(key).logits else { continue }
        let exact = try logits(try direction(dictionary, feature))
        let size = exact.map(abs).max() ?? 0
        func close(_ a: Float, _ b: Double) -> Bool { abs(Double(a) - b) <= 1e-5 * size }
        let sorted = exact.sorted()
        for (place, entry) in table.top.enumerated() {
          #expect(
            close(entry.value, sorted[sorted.count - 1 - place]) && close(entry.value, exact[Int(entry.token.id)]))
        }
        for (place, entry) in table.bottom.enumerated() {
          #expect(close(entry.value, sorted[place]) && close(entry.value, exact[Int(entry.token.id)]))
        }
        #expect(table.top.count == 10 && table.bottom.count == 10 && table.counts.count == 50)
        #expect(table.counts.reduce(0, +) == exact.count)
        #expect(close(table.low, sorted[0]) && close(table.high, sorted[sorted.count - 1]))
        for example in try atlas.examples(key, .top) {
          effects += try expectEffects(example, dictionary, exact, close)
        }
      }
    }
    #expect(effects > 100)
  }

  /// Effects of an example: activation · logit of the next token over the norms' denominators.
  private func expectEffects(
    _ example: AtlasExample, _ dictionary: SparseDictionary, _ logits: [Double], _ close: (Float, Double) -> Bool
  ) throws -> Int {
    let ids = reference.ids[example.sequence]
    let residual = reference.captured[example.sequence].residual
    var count = 0
    for (offset, activation) in example.activations.enumerated() where activation > 0 {
      let position = example.start + offset
      guard position + 1 < ids.count, !tiny.tokenizer.isSpecial(ids[position + 1]) else {
        #expect(example.effects[offset] == nil)
        continue
      }
      var scale = try denominator(residual.rows(position..<position + 1).read())
      if dictionary.shape.writes[0].kind == .attnOut {
        let layer = dictionary.shape.writes[0].layer
        let heads = try #require(reference.captured[example.sequence].sites[.attnOut(layer)])
        let row = try heads.rows(position..<position + 1).read()
        let output = try weights.tensor("model.layers.\(layer).self_attn.o_proj.weight")
        let values = try output.read()
        scale *= denominator(
          (0..<output.shape[0]).map { i in
            row.indices.reduce(Float(0)) { $0 + values[i * row.count + $1] * row[$1] }
          })
      }
      let effect = try #require(example.effects[offset])
      let exact = Double(activation) * logits[Int(ids[position + 1])]
      #expect(close(Float(Double(effect) * scale / Double(activation)), exact / Double(activation)))
      if position == example.position { #expect(example.effect.map { Float($0) } == effect) }
      count += 1
    }
    return count
  }

  private func denominator(_ row: [Float]) -> Double {
    let mean = row.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(row.count)
    return (mean + Double(tiny.model.configuration.normEpsilon)).squareRoot()
  }

  @Test func sourcesOfAttentionAddUpToTheActivation() throws {
    let dictionary = try #require(tiny.dictionaries.first { $0.name == "attention" })
    var (count, outside) = (0, 0)
    for feature in 0..<dictionary.shape.width {
      let key = key(dictionary, feature)
      let bias = Double(try dictionary.encoderBias(feature: feature))
      let intervals = try atlas.feature(key).intervals.indices.map { ExampleGroup.interval($0) }
      for example in try ([.top] + intervals).flatMap({ try atlas.examples(key, $0) }) {
        let sources = try #require(example.sources)
        let sum = sources.window.reduce(0.0) { $0 + Double($1) } + Double(sources.begin) + Double(sources.elsewhere)
        #expect(abs(sum + bias - example.activation) <= 1e-4 * max(1, example.activation), "\(key)")
        #expect(sources.window.count == example.tokens.count)
        // Nothing comes from what lies ahead.
        #expect(sources.window.dropFirst(example.position - example.start + 1).allSatisfy { $0 == 0 })
        for source in sources.outside {
          #expect(source.token.id == reference.ids[example.sequence][source.position])
          #expect(source.position > 0 && source.position < example.start)
          outside += 1
        }
        count += 1
      }
    }
    #expect(count > 50 && outside > 20, "\(count) examples, \(outside) sources outside")
    for other in tiny.dictionaries where other.name != "attention" {
      #expect(try atlas.examples(key(other, 0), .top).allSatisfy { $0.sources == nil })
    }
  }

  @Test func neighboursAreTheNearest() throws {
    func unit(_ row: [Double]) -> [Double] {
      let length = row.reduce(0.0) { $0 + $1 * $1 }.squareRoot()
      return row.map { length > 0 ? $0 / length : 0 }
    }
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    let directions = try tiny.dictionaries.map { dictionary in
      try (0..<dictionary.shape.totalWidth).map { unit(try direction(dictionary, $0)) }
    }
    for (index, dictionary) in tiny.dictionaries.enumerated() {
      let shape = dictionary.shape
      let rows = try (0..<shape.totalWidth).map { feature in
        unit(
          try shape.writes.indices.flatMap {
            try dictionary.decoderRow(read: feature / shape.width, feature: feature % shape.width, write: $0)
          }.map(Double.init))
      }
      for feature in stride(from: 0, to: shape.totalWidth, by: 7) {
        let found = try atlas.feature(key(dictionary, feature))
        let exact = rows.indices.filter { $0 != feature }.map { dot(rows[feature], rows[$0]) }.sorted(by: >)
        #expect(found.nearest.count == min(10, shape.totalWidth - 1))
        for (place, neighbour) in found.nearest.enumerated() {
          #expect(abs(neighbour.value - exact[place]) < 1e-5)
        }
        var others: [Double] = []
        for other in tiny.dictionaries.indices where other != index {
          others += directions[other].map { dot(directions[index][feature], $0) }.sorted(by: >).prefix(2)
        }
        others.sort(by: >)
        #expect(found.elsewhere.count == min(10, others.count))
        for (place, neighbour) in found.elsewhere.enumerated() {
          #expect(abs(neighbour.value - others[place]) < 1e-5)
          let there = try #require(tiny.dictionaries.firstIndex { $0.name == neighbour.key.dictionary })
          let number = (0..<tiny.dictionaries[there].shape.totalWidth).first {
            key(tiny.dictionaries[there], $0) == neighbour.key
          }
          #expect(
            abs(dot(directions[index][feature], directions[there][try #require(number)]) - neighbour.value) < 1e-5)
        }
      }
    }
  }
}
