import Dictionaries
import Evaluation
import Foundation
import Gemma
import Sites
import TestSupport
import Tensors
import Testing

@Suite struct ConceptRemovalTests {
  private static let paths = [TinyTexts.residual, TinyTexts.transcoder, TinyTexts.crosscoder]

  /// Features left out of the code, decoded, the error added back, pooled: what the closed form says.
  @Test(arguments: 0..<3) func ablationIsLinear(index: Int) throws {
    let tiny = try TinyTexts()
    let dictionary = try tiny.dictionary(Self.paths[index])
    let (shape, write) = (dictionary.shape, dictionary.shape.writes.count - 1)
    let pooled = try PooledActivations(
      tiny.model, dictionaries: [dictionary], sequences: tiny.texts, specialTokens: tiny.special)
    let parts = try ConceptParts(pooled, dictionary: 0, write: write, .mean)
    var random = SeededRandom(seed: 6)
    let probes = (0..<2).map { _ in
      LinearProbe(weights: random.floats(shape.outputWidth).map(Double.init), intercept: Double(random.float()))
    }
    let effects = try ConceptEffects(parts, probes: probes)
    // Every third part, in no order that means anything.
    let order = (0..<shape.width * shape.reads.count).filter { $0 % 3 == 1 }
    let counts = [0, 5, order.count]
    for (place, ids) in tiny.texts.enumerated() {
      let run = try tiny.model.forward([ids], capture: Set(shape.reads + shape.writes), logits: .none)
      let inputs = try shape.reads.map { try #require(run.activations[$0]) }
      let x = try #require(run.activations[shape.writes[write]]).read()
      let code = try dictionary.encode(inputs)
      let before = try dictionary.decode(code, inputs: inputs)[write].read()
      for (probe, linear) in probes.enumerated() {
        let clean = try linear.scores(pooled.rows([place], at: shape.writes[write], .mean))
        let found = effects.scores(clean, of: [place], probe: probe, without: order, counts: counts)
        for (n, count) in counts.enumerated() {
          let out = Set(order.prefix(count))
          let kept = try DictionaryCode(
            code.layers.enumerated().map { try Self.without(out, read: $0, width: shape.width, $1) })
          let after = try dictionary.decode(kept, inputs: inputs)[write].read()
          let rows = tiny.rows(ids)
          var expected = 0.0
          for row in rows {
            for i in 0..<shape.outputWidth {
              let place = row * shape.outputWidth + i
              expected += linear.weights[i] * (Double(x[place]) - Double(before[place]) + Double(after[place]))
            }
          }
          expected = expected / Double(rows.count) + linear.intercept
          let scale = abs(clean[0]) + abs(expected) + 1
          #expect(abs(found[n][0] - expected) < 1e-4 * scale, "\(dictionary.name) \(count)")
          if count == 0 { #expect(found[n] == clean) }
        }
      }
    }
  }

  private static func without(_ parts: Set<Int>, read: Int, width: Int, _ code: SparseCode) throws -> SparseCode {
    var (offsets, features, values) = ([0], [Int32](), [Float]())
    for row in 0..<code.rows {
      for entry in code.entries(ofRow: row) where !parts.contains(read * width + Int(code.features[entry])) {
        features.append(code.features[entry])
        values.append(code.activations[entry])
      }
      offsets.append(features.count)
    }
    return try SparseCode(rowOffsets: offsets, features: features, activations: values)
  }

  private let concepts = (
    Concept("job", positive: "nurse", negative: "chef"), Concept("sex", positive: "f", negative: "m")
  )

  private func confounded(noise: Float = 0.3) throws -> PlantedTexts {
    try PlantedTexts(seed: 4, labels: [("job", ["chef", "nurse"]), ("sex", ["f", "m"])], count: 90, noise: noise)
  }

  /// Two features carry each concept: taking one concept's out gives the other back.
  @Test func spuriousCorrelationIsRemoved() throws {
    let planted = try confounded()
    var options = SpuriousCorrelation()
    options.counts = [1, 2, 500]
    let result = try options.measure(planted.texts, concepts.0, concepts.1, planted.pooled, dictionary: 0)
    #expect(result.trainTexts == 30 && result.testTexts == 30 && result.site == planted.site)
    for (way, direction) in result.directions.enumerated() {
      #expect(direction.kept == (way == 0 ? concepts.0 : concepts.1))
      let (clean, mixed) = (direction.clean.value ?? 0, direction.confounded.value ?? 1)
      // The stronger concept may be told as well by the mixed probe as by its own.
      guard way == result.reported || direction.undefined == nil else { continue }
      #expect(direction.undefined == nil && clean > mixed + 0.02, "\(clean) \(mixed)")
      for points in [direction.features, direction.channels, [direction.projection]] {
        for point in points {
          let expected = ((point.accuracy.value ?? .nan) - mixed) / (clean - mixed)
          #expect(abs((point.score.value ?? .nan) - expected) < 1e-9)
          #expect(point.removed.count == 3)
        }
      }
      if way == result.reported { #expect((direction.features[1].score.value ?? 0) > 0.5, "\(direction)") }
      // No more features speak than there are.
      #expect(direction.features[2].removed.allSatisfy { $0 < 37 && $0 >= 2 })
    }
    let accuracies = result.directions.map { $0.confounded.value ?? .nan }
    #expect(accuracies[result.reported] == accuracies.min())
  }

  /// Where confounding costs nothing there is no score, and the reason is told.
  @Test func emptyDenominators() throws {
    // The job is read off one channel and the sex hardly at all: the mixed probe is as good as the clean one.
    var random = SeededRandom(seed: 8)
    let quadrants = (0..<4).map { q in (0..<40).map { q * 40 + $0 } }
    let values = (0..<160).flatMap { row -> [Double] in
      let (a, b) = (row < 80 ? 1.0 : -1, row / 40 % 2 == 0 ? 1.0 : -1)
      return [a * 5 + Double(random.float()), b * 0.001 + Double(random.float())]
    }
    let rows = try ProbeRows(values, count: 160, columns: 2)
    let draw = try ConceptDraw(
      train: quadrants.map { Array($0.prefix(20)) }, test: quadrants.map { Array($0.suffix(20)) })
    let probes = [[1.0, 0], [0, 1], [1, 0.01]].map { LinearProbe(weights: $0, intercept: 0) }
    let parts = try ConceptParts(SparseCode(emptyRows: 160), decoder: [[1, 0], [0, 1]])
    let run = try SpuriousCorrelationRun(draw, probes: probes, rows, parts: parts, counts: [2])
    var options = SpuriousCorrelation()
    options.counts = [2]
    let result = SpuriousCorrelationResult(
      set: "s", dictionary: "d", site: Site(.residPost, layer: 0), options: options, concepts: concepts, trainTexts: 10,
      testTexts: 20, runs: [run])
    #expect(result.directions[0].undefined?.contains("less than 0.02") == true)
    #expect(result.directions[0].features[0].score.value == nil && result.directions[0].clean.value == 1)
    #expect(result.directions[0].features[0].accuracy.value == 1)
    #expect(result.directions[0].features[0].removed == [0])
    #expect(result.directions[0].projection.score.value == nil)
  }

  /// Each class has a feature: without it its own probe alone suffers.
  @Test func perturbationIsTargeted() throws {
    let planted = try PlantedTexts(seed: 5, labels: [("topic", ["a", "b", "c"])], count: 90, noise: 0.3)
    var options = TargetedPerturbation()
    options.counts = [1, 500]
    let result = try options.measure(planted.texts, label: "topic", planted.pooled, dictionary: 0)
    #expect(result.classes == ["a", "b", "c"] && result.clean.allSatisfy { ($0.value ?? 0) > 0.8 })
    let one = result.features[0]
    for loss in one.classes { #expect((loss.intended.value ?? 0) > 0.1) }
    #expect((one.mean.score.value ?? 0) > 0.2 && (one.mean.unintended.value ?? 1) < 0.2)
    for point in result.features + result.channels + [result.projection] {
      for (part, mean) in [(\TargetedPerturbationResult.Loss.intended, point.mean.intended),
        (\.unintended, point.mean.unintended), (\.score, point.mean.score)]
      {
        let average = point.classes.reduce(0) { $0 + ($1[keyPath: part].value ?? .nan) } / 3
        #expect(abs((mean.value ?? .nan) - average) < 1e-9)
      }
      let score: Double = (point.mean.intended.value ?? .nan) - (point.mean.unintended.value ?? .nan)
      #expect(abs((point.mean.score.value ?? .nan) - score) < 1e-9)
    }
    #expect(result.removed[0] == [[1, 1, 1], [1, 1, 1], [1, 1, 1]])
    #expect(result.removed[1].joined().allSatisfy { $0 < 37 })
  }

  @Test func whatCannotBeMeantIsNamed() throws {
    let planted = try confounded()
    let (texts, pooled) = (planted.texts, planted.pooled)
    func refuses(_ body: () throws -> Void, _ location: SourceLocation = #_sourceLocation) {
      #expect(throws: EvaluationError.self, sourceLocation: location) { try body() }
    }
    let scr = SpuriousCorrelation()
    refuses { _ = try TargetedPerturbation().measure(texts, label: "job", pooled, dictionary: 0) }
    refuses { _ = try TargetedPerturbation().measure(texts, label: "none", pooled, dictionary: 0) }
    refuses { _ = try scr.measure(texts, concepts.0, concepts.1, pooled, dictionary: 1) }
    refuses { _ = try scr.measure(texts, concepts.0, concepts.1, pooled, dictionary: 0, write: 1) }
    let nobody = Concept("sex", positive: "x", negative: "m")
    refuses { _ = try scr.measure(texts, concepts.0, nobody, pooled, dictionary: 0) }
    var options = scr
    options.counts = [0]
    refuses { _ = try options.measure(texts, concepts.0, concepts.1, pooled, dictionary: 0) }
    options = scr
    options.seeds = []
    refuses { _ = try options.measure(texts, concepts.0, concepts.1, pooled, dictionary: 0) }
    refuses { _ = try scr.measure(texts, concepts.0, Concept("sex", positive: "m", negative: "m"), pooled, dictionary: 0) }
    let code = try SparseCode(rowOffsets: [0, 1], features: [2], activations: [1])
    refuses { _ = try ConceptParts(code, decoder: [[1], [1]]) }
  }
}
