import Dictionaries
import Evaluation
import Gemma
import Sites
import TestSupport
import Tensors
import Testing

@Suite struct PooledActivationsTests {
  private func texts(_ tiny: TinyTexts) -> [[Int32]] {
    var random = SeededRandom(seed: 77)
    let vocabulary = tiny.model.configuration.vocabularySize
    return [2, 40, 1, 17, 64, 100, 128, 128, 100, 90, 128, 120, 110].map { length in
      [2] + (0..<length).map { $0 == 3 ? 5 : Int32(random.int(6...vocabulary - 1)) }
    }
  }

  /// Sums over each text alone, token by token; enough texts for several passes.
  @Test func followTheDefinition() throws {
    let tiny = try TinyTexts()
    let dictionaries = try [TinyTexts.residual, TinyTexts.transcoder, TinyTexts.crosscoder].map {
      try tiny.dictionary($0)
    }
    let texts = texts(tiny)
    let extra = Site(.attnOut, layer: 1)
    var told: [Int] = []
    let pooled = try PooledActivations(
      tiny.model, dictionaries: dictionaries, sites: [extra], sequences: texts, specialTokens: tiny.special,
      progress: { told.append($0) })
    #expect(pooled.texts == texts.count && told.reduce(0, +) == texts.count && told.count > 1)
    #expect(pooled.tokens == texts.map { tiny.rows($0).count })
    let sites = Set(dictionaries.flatMap { $0.shape.reads + $0.shape.writes } + [extra])
    for (place, ids) in texts.enumerated() {
      let run = try tiny.model.forward([ids], capture: sites, logits: .none)
      for pooling in Pooling.allCases {
        let counted = pooling == .mean ? tiny.rows(ids) : Array(tiny.rows(ids).suffix(1))
        for site in sites {
          let x = try #require(run.activations[site])
          let values = try x.read()
          let expected = (0..<x.rowLength).map { i in
            Float(counted.reduce(0) { $0 + Double(values[$1 * x.rowLength + i]) } / Double(counted.count))
          }
          let found = try pooled.rows([place], at: site, pooling).values.map(Float.init)
          expectClose(found, expected, rowLength: found.count, tolerance: 2e-5, "\(site) \(pooling)")
        }
        for (index, dictionary) in dictionaries.enumerated() {
          let code = try dictionary.encode(dictionary.shape.reads.map { try #require(run.activations[$0]) })
          for read in dictionary.shape.reads.indices {
            var expected = [Float](repeating: 0, count: dictionary.shape.width)
            for row in counted {
              for feature in expected.indices {
                expected[feature] +=
                  code.layers[read].activation(ofFeature: feature, inRow: row) / Float(counted.count)
              }
            }
            let found = try pooled.code(dictionary: index, read: read, pooling)
            let dense = expected.indices.map { found.activation(ofFeature: $0, inRow: place) }
            expectClose(dense, expected, rowLength: dense.count, tolerance: 1e-4, "\(dictionary.name) \(pooling)")
          }
        }
      }
    }
  }

  @Test func whatIsMissingIsNamed() throws {
    let tiny = try TinyTexts()
    #expect(throws: EvaluationError.self) {
      try PooledActivations(tiny.model, dictionaries: [], sequences: [[2, 9], [2, 5]], specialTokens: tiny.special)
    }
    let pooled = try PooledActivations(
      tiny.model, dictionaries: [], sites: [Site(.residPost, layer: 0)], sequences: [[2, 9]],
      specialTokens: tiny.special)
    #expect(throws: EvaluationError.self) { try pooled.rows([0], at: Site(.residPost, layer: 1), .mean) }
    #expect(throws: EvaluationError.self) { try pooled.rows([1], at: Site(.residPost, layer: 0), .mean) }
    #expect(throws: EvaluationError.self) { try pooled.code(dictionary: 0, .mean) }
    #expect(throws: CancellationError.self) {
      try PooledActivations(
        tiny.model, dictionaries: [], sites: [Site(.residPost, layer: 0)], sequences: [[2, 9]],
        specialTokens: tiny.special, check: { throw CancellationError() })
    }
  }
}
