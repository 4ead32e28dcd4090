import Dictionaries
import Evaluation
import Foundation
import Gemma
import Sites
import TestSupport
import Tensors
import Testing

/// All measures of several dictionaries at once.
@Suite struct DictionaryEvaluationTests {
  private static let paths = [TinyTexts.residual, TinyTexts.transcoder, TinyTexts.crosscoder]

  private func evaluate(
    _ tiny: TinyTexts, _ dictionaries: [SparseDictionary], _ options: DictionaryEvaluation.Options = .init(),
    progress: (Int) throws -> Void = { _ in }
  ) throws -> EvaluationResult {
    let evaluation = DictionaryEvaluation(
      tiny.model, dictionaries: dictionaries, specialTokens: tiny.special, options: options)
    return try evaluation.run(tiny.texts, progress: progress)
  }

  /// What it finds is what each measurement finds alone.
  @Test func equalsItsParts() throws {
    let tiny = try TinyTexts()
    let dictionaries = try Self.paths.map { try tiny.dictionary($0, name: $0) }
    let options = DictionaryEvaluation.Options(
      lossTokens: 1000, splices: .both, outliers: OutlierRule(factor: 1.02, site: .residPost(3)))
    var done = 0
    let found = try evaluate(tiny, dictionaries, options) { done += $0 }
    let evaluation = DictionaryEvaluation(
      tiny.model, dictionaries: dictionaries, specialTokens: tiny.special, options: options)
    #expect(done == evaluation.work(tiny.texts))
    #expect(found.tokens == tiny.texts.reduce(0) { $0 + $1.count } && found.lossTokens == found.tokens)
    for (dictionary, part) in zip(dictionaries, found.parts) {
      var all = ReconstructionMeasurement(dictionary.shape)
      var kept = ReconstructionMeasurement(dictionary.shape, byPosition: false)
      var density = FeatureDensity(dictionary.shape)
      var others = dictionary.shape.writes.map { _ in OtherToolsMetrics.Accumulator() }
      var dropped = 0
      for ids in tiny.texts {
        let sites = Set(dictionary.shape.reads + dictionary.shape.writes + [.residPost(3)])
        let x = try tiny.model.forward([ids], capture: sites, logits: .none).activations
        let (code, outputs) = try dictionary.reconstruct(dictionary.shape.reads.map { try #require(x[$0]) })
        let targets = try dictionary.shape.writes.map { try #require(x[$0]) }
        let rows = tiny.rows(ids)
        try all.add(code, targets: targets, outputs: outputs, rows: rows)
        try density.add(code, rows: rows)
        let norms = try rows.map { row -> Double in
          try #require(x[.residPost(3)]).rows(row..<row + 1).read().reduce(0) { $0 + Double($1) * Double($1) }
        }
        let median = norms.sorted()[norms.count / 2]
        let short = zip(rows, norms).filter { $0.1 <= median * 1.02 * 1.02 }.map(\.0)
        dropped += rows.count - short.count
        try kept.add(code, targets: targets, outputs: outputs, rows: short)
        for write in targets.indices {
          let (a, b) = (try targets[write].read(), try outputs[write].read())
          let width = targets[write].rowLength
          func picked(_ values: [Float]) -> [Float] { rows.flatMap { values[$0 * width..<($0 + 1) * width] } }
          others[write].add(picked(a), picked(b), width: width)
        }
      }
      #expect(dropped > 0)
      #expect(part.reconstruction == all.metrics && part.withoutOutliers == kept.metrics)
      #expect(part.density == density && part.otherTools == others.map(\.metrics))
    }
    let sites = Set(dictionaries.flatMap(\.shape.writes)).sorted()
    let losses = try tiny.measure(
      dictionaries,
      [.splice(dictionaries: [0, 1, 2]), .reconstruction(dictionary: 2, write: 1), .mean(sites), .splice(dictionaries: [2])])
    #expect(found.loss == losses.clean.crossEntropy)
    let set = try #require(found.set)
    #expect(set.sites == sites)
    #expect(set.deltaLoss == losses.replaced[.splice(dictionaries: [0, 1, 2])]?.delta(from: losses.clean))
    #expect(set.meanAblatedLoss == losses.replaced[.mean(sites)]?.crossEntropy)
    #expect(
      found.parts[2].splices[1].loss == losses.replaced[.reconstruction(dictionary: 2, write: 1)]?.crossEntropy)
    #expect(found.parts[2].wholeSplice?.loss == losses.replaced[.splice(dictionaries: [2])]?.crossEntropy)
    #expect(found.parts[0].wholeSplice == nil && found.parts[0].splices.count == 1)
    let positions = found.parts[0].splices[0].positions
    let predictions = positions.reduce(0) { $0 + $1.predictions }
    #expect(predictions == losses.clean.sequences.reduce(0) { $0 + $1.predictions })
    let rise = positions.reduce(0.0) { $0 + ($1.deltaLoss.value ?? .nan) * Double($1.predictions) } / Double(predictions)
    #expect(abs(rise - (found.parts[0].splices[0].deltaLoss.value ?? .nan)) < 1e-9)
    let divergence = positions.reduce(0.0) { $0 + ($1.divergence.value ?? .nan) * Double($1.predictions) }
    #expect(abs(divergence / Double(predictions) - (found.parts[0].splices[0].divergence.value ?? .nan)) < 1e-9)
    // All three texts reach the first positions, one alone the last.
    #expect(positions.first?.deltaLoss.groups == 3 && positions.first?.deltaLoss.low != nil)
    #expect(positions.last?.deltaLoss.groups == 1 && positions.last?.divergence.low == nil)
    // The three write different sites, so none has the last word.
    #expect(found.sharedWrites.isEmpty)
  }

  /// Two dictionaries of one site are told of where they are spliced together, and only there.
  @Test func sitesWrittenTwiceAreTold() throws {
    let tiny = try TinyTexts()
    let dictionaries = [
      try tiny.dictionary(TinyTexts.residual, name: "a"), try tiny.dictionary(TinyTexts.transcoder, name: "b"),
      try tiny.dictionary(TinyTexts.residual, name: "c"),
    ]
    let set = try evaluate(tiny, dictionaries, .init(lossTokens: 10, splices: .set))
    #expect(set.sharedWrites.map(\.site) == [.residPost(3)] && set.sharedWrites[0].dictionaries == ["a", "c"])
    #expect(try evaluate(tiny, dictionaries, .init(lossTokens: 10)).sharedWrites.isEmpty)
  }

  @Test func onlyWhatIsAskedForIsRun() throws {
    let tiny = try TinyTexts()
    let dictionaries = try Self.paths.map { try tiny.dictionary($0, name: $0) }
    let none = try evaluate(tiny, dictionaries, .init(splices: .none))
    #expect(none.lossTokens == 0 && none.loss.value == nil && none.set == nil)
    #expect(none.parts.allSatisfy { $0.splices.isEmpty && $0.withoutOutliers == nil })
    // The first text alone holds ten tokens.
    let set = try evaluate(tiny, dictionaries, .init(lossTokens: 10, splices: .set))
    #expect(set.lossSequences == 1 && set.lossTokens == tiny.texts[0].count && set.set != nil)
    #expect(set.parts.allSatisfy { $0.splices.isEmpty && $0.wholeSplice == nil })
    #expect(set.loss.low == nil, "one sequence has no interval")
    struct Stop: Error {}
    #expect(throws: Stop.self) { _ = try evaluate(tiny, dictionaries) { _ in throw Stop() } }
  }

  /// A dictionary of the site after layer 3 whose features are the rows of `directions`, decoded along `outputs`.
  private func planted(
    _ tiny: TinyTexts, _ directions: [[Float]], outputs: [[Float]], biases: [Float]? = nil, bias: [Float]? = nil
  ) throws -> SparseDictionary {
    let (d, width) = (tiny.model.shape.width(of: .residPost(3)), directions.count)
    let parameters = try DictionaryParameters(
      shape: DictionaryShape(
        checking: .sae, reads: [.residPost(3)], writes: [.residPost(3)], width: width, inputWidth: d, outputWidth: d),
      layers: [
        .init(
          encoder: (0..<d * width).map { directions[$0 % width][$0 / width] },
          encoderBias: biases ?? [Float](repeating: 0, count: width), threshold: [Float](repeating: 0, count: width),
          decoder: outputs.flatMap { $0 }, decoderBias: bias ?? [Float](repeating: 0, count: d))
      ])
    let folder = try TemporaryDirectory()
    let place = folder.url.appending(path: "planted")
    try parameters.write(to: place)
    return try withExtendedLifetime(folder) { try SparseDictionary(contentsOf: place, backend: tiny.backend) }
  }

  private func axis(_ i: Int, _ d: Int, _ value: Float) -> [Float] {
    (0..<d).map { $0 == i ? value : 0 }
  }

  /// Plus and minus each coordinate: every activation comes back as it was.
  @Test func aPerfectDictionaryCostsNothing() throws {
    let tiny = try TinyTexts()
    let d = tiny.model.shape.width(of: .residPost(3))
    let axes = (0..<d).map { axis($0, d, 1) } + (0..<d).map { axis($0, d, -1) }
    let found = try evaluate(tiny, [planted(tiny, axes, outputs: axes)])
    let part = found.parts[0]
    let total = part.reconstruction.total
    func near(_ estimate: Estimate, _ value: Double, _ tolerance: Double) -> Bool {
      abs((estimate.value ?? .nan) - value) < tolerance
    }
    #expect(near(total.fvu, 0, 1e-12) && near(total.cosine, 1, 1e-9) && near(total.reconstructionBias, 1, 1e-6))
    #expect(near(part.reconstruction.l0, Double(d), 1e-9))
    let splice = part.splices[0]
    #expect(near(splice.deltaLoss, 0, 1e-5) && near(splice.divergence, 0, 1e-5))
    for recovered in splice.recovered {
      guard let value = recovered.value.value else { continue }
      #expect(abs(value - 1) < 1e-3, "\(recovered)")
    }
  }

  /// Nothing fires and nothing is written: that is zero ablation; with the mean as its bias, mean ablation.
  @Test func anEmptyDictionaryIsAnAblation() throws {
    let tiny = try TinyTexts()
    let d = tiny.model.shape.width(of: .residPost(3))
    let zero = [[Float]](repeating: [Float](repeating: 0, count: d), count: 3)
    let mean = try #require(try tiny.means([.residPost(3)]).mean(of: .residPost(3)))
    let found = try evaluate(
      tiny, [planted(tiny, zero, outputs: zero), planted(tiny, zero, outputs: zero, bias: mean)])
    #expect(found.parts[0].splices[0].loss == found.parts[0].splices[0].zeroAblatedLoss)
    #expect(found.parts[1].splices[0].loss == found.parts[1].splices[0].meanAblatedLoss)
    #expect(found.parts[0].density.dead == 3 && found.parts[0].reconstruction.l0.value == 0)
    #expect(abs(try #require(found.parts[1].reconstruction.total.fvu.value) - 1) < 1e-6)
  }

  /// A feature that never fires, one that always does, and two that are the same.
  @Test func plantedFeaturesAreCounted() throws {
    let tiny = try TinyTexts()
    let d = tiny.model.shape.width(of: .residPost(3))
    let nothing = [Float](repeating: 0, count: d)
    let found = try evaluate(
      tiny,
      [
        planted(
          tiny, [nothing, nothing, axis(0, d, 1), axis(0, d, 1)], outputs: [nothing, nothing, nothing, nothing],
          biases: [-1, 1, 0, 0])
      ])
    let density = found.parts[0].density
    let tokens = found.parts[0].reconstruction.tokens
    #expect(density.counts[0][0] == 0 && density.dead == 1 + (density.counts[0][2] == 0 ? 2 : 0))
    #expect(density.counts[0][1] == tokens && density.counts[0][2] == density.counts[0][3])
    #expect(density.histogram.last?.features ?? 0 >= 1)
    let l0 = try #require(found.parts[0].reconstruction.l0.value)
    #expect(abs(l0 - Double(tokens + 2 * density.counts[0][2]) / Double(tokens)) < 1e-12)
  }
}
