import Evaluation
import TestSupport
import Tensors
import Testing

@Suite struct WordAbsorptionTests {
  /// Fractions and full absorption of 60 words with three sets of own features, as SAEBench's calculator has them.
  @Test(arguments: 0..<3) func equalsSAEBench(set: Int) throws {
    let fixture = try AbsorptionFixture("words")
    let (code, decoder) = (try fixture.code(), try fixture.floats("decoder"))
    let (x, probe) = (try fixture.floats("x"), try fixture.doubles("probe"))
    let d = probe.count
    var rows = WrittenRows(row: { Array(decoder[$0 * d..<($0 + 1) * d]) }, width: d)
    let own = try fixture.integers("main.\(set)")
    let projections = (0..<code.rows).map { row in
      zip(x[row * d..<(row + 1) * d], probe).reduce(0.0) { $0 + Double($1.0) * $1.1 }
    }
    #expect(try largestDifference(projections, fixture.doubles("projection")) < 1e-12)
    let active = try (0..<code.rows).map { try rows.active(code, row: $0, direction: probe) }
    let words = zip(projections, active).map {
      WordAbsorption.measure(projection: $0, active: $1, own: Set(own))
    }
    let fractions = try fixture.doubles("fraction.\(set)")
    let full = try fixture.integers("full.\(set)")
    #expect(largestDifference(words.map(\.fraction), fractions) < 1e-6)
    #expect(words.map { $0.isFull ? 1 : 0 } == full)
    #expect(fractions.contains { $0 > 0 && $0 < 1 } && full.contains(1))

    let letter = LetterAbsorption(letter: 3, own: own, projections: projections, mean: 0.05, active: active)
    #expect(letter.published.full == Double(full.reduce(0, +)) / 60 && letter.splitFeatures == own.count)
    #expect(abs((letter.published.fraction ?? .nan) - fractions.reduce(0, +) / 60) < 1e-6)
    let centred = zip(projections, active).map {
      WordAbsorption.measure(projection: $0 - 0.05, active: $1, own: Set(own))
    }
    #expect(letter.centred == LetterAbsorption.Rates(centred))
  }

  private func active(_ feature: Int, _ activation: Double, _ cosine: Double) -> WordAbsorption.Active {
    .init(feature: feature, activation: activation, cosine: cosine, contribution: activation * cosine)
  }

  private func measure(_ a: Double, _ active: [WordAbsorption.Active]) -> WordAbsorption {
    .measure(projection: a, active: active, own: [0])
  }

  @Test func everyBranchByHand() {
    func word(_ fraction: Double, _ isFull: Bool) -> WordAbsorption { .init(fraction: fraction, isFull: isFull) }
    // The letter's own feature makes all of it, half of it with another, nothing of it.
    #expect(measure(4, [active(0, 4, 1)]) == word(0, false))
    #expect(measure(4, [active(0, 2, 1), active(1, 4, 0.5)]) == word(0.5, false))
    #expect(measure(4, [active(1, 8, 0.5)]) == word(1, true))
    // At 0.4 of it, and just below.
    #expect(measure(5, [active(1, 4, 0.5)]) == word(1, true))
    #expect(measure(5.01, [active(1, 4, 0.5)]) == word(0, false))
    // The others make more than is left over: no more than that counts.
    #expect(measure(4, [active(0, 3, 1), active(1, 8, 0.5)]) == word(0.25, false))
    // Three others count, not four.
    #expect(measure(6, [active(0, 1, 1)] + (1...4).map { active($0, 2, 0.5) }) == word(0.75, false))
    // Too far from the probe for a fraction, near enough for a full absorption, and for neither.
    #expect(measure(1, [active(1, 10, 0.05)]) == word(0, true))
    #expect(measure(1, [active(1, 50, 0.02)]) == word(0, false))
    // A negative own feature leaves everything to others.
    #expect(measure(1, [active(0, 1, -0.5), active(1, 3, 0.5)]) == word(1, false))
    // The largest counts, wherever it stands.
    #expect(measure(2, [active(1, 1, -1), active(2, 4, 0.5), active(3, 1, 0.5)]) == word(1, true))
    // Nothing active, nothing projected, and a projection the other way.
    for a in [2.0, 0, -2] { #expect(measure(a, []) == word(0, false)) }
    #expect(measure(0, [active(1, 1, 0.5)]) == word(0, false))
    #expect(measure(-1, [active(1, 1, 0.5)]) == word(0, false))
  }

  /// The published own activation counts as silent below 1e-8.
  @Test func silenceHasAThreshold() {
    #expect(measure(1, [active(0, 1e-9, 1), active(1, 1, 1)]).isFull)
    #expect(!measure(1, [active(0, 1e-7, 1), active(1, 1, 1)]).isFull)
  }

  @Test func lettersAreAveraged() throws {
    func letter(_ index: Int, _ fractions: [Double]) -> LetterAbsorption {
      // A feature that makes the fraction, beside one of the letter's own that makes the rest.
      let words = fractions.map { f in
        f == 0 ? [active(0, 1, 1)] : f == 1 ? [active(1, 1, 1)] : [active(0, 1 - f, 1), active(1, f, 1)]
      }
      return LetterAbsorption(letter: index, own: [0], projections: fractions.map { _ in 1 }, mean: 0, active: words)
    }
    let result = AbsorptionResult(
      [letter(0, [1, 0, 0, 0]), letter(2, [1, 0.5]), letter(5, [])], decoderNorms: 1...1)
    #expect(result.lettersWithoutWords == 1 && result.letters[2].published.fraction == nil)
    #expect(result.full.mean.value == 0.375 && result.full.overWords.value == 2.0 / 6)
    #expect(result.fraction.mean.value == 0.5 && abs((result.fraction.overWords.value ?? 0) - 2.5 / 6) < 1e-15)
    #expect(abs((result.fraction.deviation ?? 0) - 0.125.squareRoot()) < 1e-15)
    #expect(result.fraction.mean.groups == 2 && result.fraction.mean.low != nil)
    let nothing = AbsorptionResult([letter(1, [])], decoderNorms: nil)
    #expect(nothing.full.mean.value == nil && nothing.full.deviation == nil && nothing.splitFeatures.value == nil)
  }

  @Test func decoderRowsAreChecked() throws {
    let code = try SparseCode(rowOffsets: [0, 2], features: [1, 3], activations: [1, 2])
    var rows = WrittenRows(row: { $0 == 1 ? [0, 0] : [3, 4] }, width: 2)
    let active = try rows.active(code, row: 0, direction: [1, 0])
    #expect(active[0].cosine == 0 && active[1].cosine == 0.6 && active[1].contribution == 6)
    #expect(rows.norms == 0...5)
    var short = WrittenRows(row: { _ in [1] }, width: 2)
    #expect(throws: EvaluationError.self) { _ = try short.active(code, row: 0, direction: [1, 0]) }
  }
}
