import Evaluation
import Sites
import TestSupport
import Tensors
import Testing

@Suite struct PlantedLetterTests {
  /// A letter's feature is silent on odd words, where a feature of the word carries the letter too: half of the words
  /// are absorbed, wholly, and of the other half nothing.
  @Test(arguments: [LetterProbes.Scaling.unit, .centred]) func halfIsAbsorbed(scaling: LetterProbes.Scaling) throws {
    let planted = try PlantedLetters(extra: { $0 % 2 == 1 })
    let code = try planted.code { word, letter in
      word % 2 == 0 ? (letter, 4) : (26 + word, Float(17).squareRoot())
    }
    let result = try FirstLetterTask.measure(
      code, width: 26 + 26 * PlantedLetters.wordsPerLetter,
      decoderRow: { $0 < 26 ? planted.axis($0) : planted.absorber(ofWord: $0 - 26) }, planted.activations,
      probes: planted.probes(scaling), seed: 1)
    guard case .measured(let probes, let found) = result else {
      Issue.record("not applicable")
      return
    }
    #expect(found.letters.map(\.letter) == Array(0..<26) && found.lettersWithoutWords == 0)
    for letter in found.letters {
      #expect(letter.published.words == 6 && letter.published.full == 0.5, "\(letter)")
      // What noise adds to a word's own feature is nobody's.
      #expect(letter.published.fraction == 0.5, "\(letter)")
      #expect(letter.splitFeatures == 1)
    }
    #expect(found.full.mean.value == 0.5 && found.fraction.overWords.value == 0.5 && found.full.deviation == 0)
    // Six words: three whose feature fires, and no other word of any letter.
    #expect(probes.allSatisfy { $0.split.features == [Int($0.letter.asciiValue ?? 0) - 97] })
    #expect(probes.allSatisfy { $0.features[1]?.f1 == 2.0 / 3 && $0.dense.f1 == 1 })
    #expect((found.decoderNorms?.lowerBound ?? 0) > 0.999 && (found.decoderNorms?.upperBound ?? 2) < 1.001)
  }

  /// Two features share each letter's words.
  @Test func twoFeaturesAreASplit() throws {
    let planted = try PlantedLetters()
    let code = try planted.code { word, letter in (word % 2 == 0 ? letter : 26 + letter, 4) }
    let result = try FirstLetterTask.measure(
      code, width: 52, decoderRow: { planted.axis($0 % 26) }, planted.activations, probes: planted.probes(), seed: 1)
    guard case .measured(let probes, let found) = result else {
      Issue.record("not applicable")
      return
    }
    for (letter, probe) in probes.enumerated() {
      #expect(Set(probe.split.features) == [letter, 26 + letter])
      #expect(probe.features[2]?.f1 == 1 && probe.features[1]?.f1 == 2.0 / 3)
    }
    #expect(found.splitFeatures.value == 2 && found.full.mean.value == 0 && found.fraction.mean.value == 0)
  }

  /// The centred projection lacks what all words share: a shift along a letter's direction changes the published
  /// fraction's denominator, not the centred one's.
  @Test func sharedLengthIsNoLetters() {
    let active = [[WordAbsorption.Active(feature: 9, activation: 4, cosine: 1, contribution: 4)]]
    func letter(_ shift: Double) -> LetterAbsorption {
      LetterAbsorption(letter: 0, own: [0], projections: [4 + shift], mean: shift, active: active)
    }
    #expect(letter(0).published.full == 1 && letter(100).published.full == 0)
    #expect(letter(0).centred.full == 1 && letter(100).centred.full == 1)
  }

  /// 19 letters that can be told are too few, 20 are enough.
  @Test func twentyLettersMustBeThere() throws {
    for hidden in [7, 6] {
      let planted = try PlantedLetters(hidden: hidden)
      let code = try planted.code { _, letter in (letter, 4) }
      let probes = try planted.probes()
      #expect(probes.countingLetters == Array(0..<26 - hidden))
      let result = try FirstLetterTask.measure(
        code, width: 26, decoderRow: planted.axis, planted.activations, probes: probes, seed: 1)
      #expect(result.probes.count == 26 && result.probes[25].testWords == 6 && result.probes[25].trainingWords == 24)
      #expect(result.probes.allSatisfy { $0.features[1]?.f1 == 1 && $0.channels.keys.sorted() == [1, 2, 5] })
      // The first channel of a letter that shows is its axis.
      #expect((result.probes[0].channels[1]?.f1 ?? 0) == 1)
      switch result {
      case .notApplicable: #expect(hidden == 7)
      case .measured(_, let absorption): #expect(hidden == 6 && absorption.letters.count == 20)
      }
    }
  }

  @Test func sixTenthsIsNotAbove() {
    #expect(!LetterProbes.counts(0.6) && LetterProbes.counts(0.6000001) && !LetterProbes.counts(nil))
    let below = [Double?](repeating: 0.6, count: 7)
    #expect(!LetterProbes.isApplicable(below + [Double?](repeating: 0.7, count: 19)))
    #expect(LetterProbes.isApplicable(below.dropLast() + [Double?](repeating: 0.7, count: 20)))
    #expect(!LetterProbes.isApplicable([]))
  }

  /// Results do not depend on the unit of x.
  @Test func unitsDoNotMatter() throws {
    let planted = try PlantedLetters(hidden: 6, extra: { $0 % 2 == 1 })
    let code = try planted.code { word, letter in (word % 2 == 0 ? letter : 26 + word, 4) }
    let factor: Float = 256
    guard case .dense(let values, let width) = try planted.activations.at(PlantedLetters.site) else { return }
    let large = try LetterActivations(
      letters: planted.activations.letters, training: planted.activations.training, test: planted.activations.test,
      rows: [PlantedLetters.site: .dense(values.map { $0 * factor }, width: width)])
    let largeCode = try SparseCode(
      rowOffsets: code.rowOffsets, features: code.features, activations: code.activations.map { $0 * factor })
    func measure(_ code: SparseCode, _ activations: LetterActivations) throws -> FirstLetterResult {
      try FirstLetterTask.measure(
        code, width: 26 + 26 * PlantedLetters.wordsPerLetter,
        decoderRow: { $0 < 26 ? planted.axis($0) : planted.absorber(ofWord: $0 - 26) }, activations,
        probes: LetterProbes(activations, site: PlantedLetters.site, seed: 3), seed: 1)
    }
    #expect(try measure(code, planted.activations) == (try measure(largeCode, large)))
  }

  @Test func whatIsMissingIsNamed() throws {
    let planted = try PlantedLetters()
    let other = Site(.residPost, layer: 2)
    #expect(throws: EvaluationError.missing(what: "activations at \(other)")) {
      _ = try LetterProbes(planted.activations, site: other, seed: 0)
    }
    let probes = try planted.probes()
    #expect(throws: EvaluationError.self) {
      _ = try FirstLetterTask.measure(
        SparseCode(emptyRows: 3), width: 26, decoderRow: planted.axis, planted.activations, probes: probes, seed: 0)
    }
    #expect(throws: EvaluationError.self) {
      _ = try LetterActivations(letters: [26], training: [], test: [], rows: [:])
    }
    #expect(throws: EvaluationError.self) {
      _ = try LetterActivations(letters: [0], training: [1], test: [], rows: [:])
    }
    #expect(throws: EvaluationError.self) {
      _ = try LetterActivations(letters: [0], training: [0], test: [], rows: [other: .dense([1, 2], width: 1)])
    }
    let flat = try LetterActivations(
      letters: [0, 1], training: [0, 1], test: [], rows: [other: .dense([0, 0, 0, 0], width: 2)])
    #expect(throws: EvaluationError.self) { _ = try LetterProbes(flat, site: other, seed: 0) }
  }
}
