import Atlas
import TestSupport
import Testing

@Suite struct ScoringTests {
  private func windows(_ feature: ExplainedFeature, _ test: LabelTest, seed: UInt64 = 0) throws -> [TestWindow] {
    let judge = RecordingJudge()
    var options = ScoringOptions()
    (options.tests, options.seed) = ([test], seed)
    _ = try judge.score("a label", of: feature, options: options)
    return try #require(judge.calls.first).windows
  }

  @Test func onlyWindowsHeldOutAreShown() throws {
    let feature = try PlantedText.singleToken("▁knives", seed: 1)
    let held = Set((feature.test.examples + feature.test.negatives).map(\.pieces))
    for test in LabelTest.allCases {
      let shown = try windows(feature, test)
      #expect(shown.count == 20 && Set(shown.map(\.pieces)).count == 20)
      #expect(shown.allSatisfy { held.contains($0.pieces) })
      #expect(shown.count { $0.pieces.contains("▁knives") } == 10)
      #expect(try windows(feature, test) == shown)
      #expect(try windows(feature, test, seed: 1) != shown)
    }
  }

  @Test func halfOfTheExamplesAreOfTheLargest() throws {
    let feature = try PlantedText.singleToken("▁knives", seed: 2)
    let shown = Set(try windows(feature, .detection).map(\.pieces))
    let chosen = feature.test.examples.filter { shown.contains($0.pieces) }
    #expect(chosen.count { $0.interval == nil } == 5)
    // Ten of twenty examples are of three intervals, and five places go round them.
    for interval in 0..<3 { #expect(1...2 ~= chosen.count { $0.interval == interval }) }
    let top = try ExplainedFeature(
      key: "top", explain: feature.explain,
      test: .init(
        examples: feature.test.examples.map {
          TokenWindow(sequence: $0.sequence, pieces: $0.pieces, activations: $0.activations)
        }, negatives: feature.test.negatives))
    #expect(try windows(top, .detection).count { $0.pieces.contains("▁knives") } == 10)
  }

  /// Half of the silent windows are drawn at random, the others are hard where there are such.
  @Test func hardNegatives() throws {
    for (hard, expected) in [(0, 0), (3, 3), (20, 5)] {
      let feature = try PlantedText.feature("hard \(hard)", seed: 3, negatives: 400) { pieces, _ in
        pieces[24] = "▁bank"
        return [24]
      }
      let test = ExplainedFeature.Evidence(
        examples: feature.test.examples,
        negatives: feature.test.negatives.enumerated().map { i, window in
          var pieces = window.pieces
          // Another spelling of the token is the token.
          if i % (400 / max(hard, 1)) == 0, hard > 0 { pieces[7] = "▁Bank" }
          return TokenWindow(silentIn: window.sequence, pieces: pieces)
        })
      let made = try ExplainedFeature(key: feature.key, explain: feature.explain, test: test)
      let judge = RecordingJudge { _, window in .fires(window.pieces.contains("▁bank")) }
      let score = try #require(try judge.score("a label", of: made).first).score
      #expect(score.balancedAccuracy == 1)
      #expect(expected...expected + 3 ~= score.hardTrueNegatives, "\(score)")
      #expect((score.hardAccuracy == nil) == (score.hardTrueNegatives == 0))
    }
  }

  /// Marks of silent windows stand where those of firing ones do, so that places tell nothing.
  @Test func marksOfFuzzing() throws {
    var place = 3
    let feature = try PlantedText.feature("marks", seed: 4) { pieces, _ in
      place = place % 29 + 1
      pieces[place] = "▁knives"
      return [place]
    }
    let made = try ExplainedFeature(
      key: feature.key, explain: feature.explain,
      test: .init(
        examples: feature.test.examples.map { window in
          let peak = window.activations.firstIndex { $0 > 0 } ?? 0
          var activations = window.activations
          activations[peak] = 10
          activations[peak + 1] = 3
          activations[peak + 2] = 2.9
          return TokenWindow(
            sequence: window.sequence, pieces: window.pieces, activations: activations, interval: window.interval)
        }, negatives: feature.test.negatives))
    let shown = try windows(made, .fuzzing)
    let firing = shown.filter { $0.pieces.contains("▁knives") }
    for window in firing {
      let peak = try #require(window.pieces.firstIndex(of: "▁knives"))
      #expect(window.marks == [peak, peak + 1])
    }
    let silent = shown.filter { !$0.pieces.contains("▁knives") }
    #expect(silent.count == 10 && Set(silent.map(\.marks)) == Set(firing.map(\.marks)))
    #expect(try windows(made, .detection).allSatisfy(\.marks.isEmpty))
  }

  @Test func failuresEnterNoAccuracy() throws {
    let feature = try PlantedText.singleToken("▁knives", seed: 5)
    let failures = CallFailure.allCases
    let judge = RecordingJudge { i, window in
      i < 8 ? .none(failures[i % 4]) : .fires(window.pieces.contains("▁knives"))
    }
    let score = try #require(try judge.score("a label", of: feature).first).score
    #expect([score.refused, score.malformed, score.timedOut, score.failed] == [2, 2, 2, 2])
    #expect(score.answered == 12 && score.balancedAccuracy == 1 && score.undefined == nil)
    let worse = RecordingJudge { i, _ in i < 9 ? .none(.refused) : .fires(true) }
    let undefined = try #require(try worse.score("a label", of: feature).first).score
    #expect(undefined.balancedAccuracy == nil && undefined.undefined == .tooFewAnswers && undefined.refused == 9)
    let oneClass = RecordingJudge { _, window in window.pieces.contains("▁knives") ? .fires(true) : .none(.failed) }
    let half = try #require(try oneClass.score("a label", of: feature).first).score
    #expect(half.balancedAccuracy == nil && half.undefined == .tooFewAnswers)
    #expect(half.truePositives == 10 && half.failed == 10)
    let always = try #require(try RecordingJudge().score("a label", of: feature).first).score
    #expect(always.balancedAccuracy == 0.5)
  }

  @Test func tooLittleIsNotAsked() throws {
    let feature = try PlantedText.singleToken("▁knives", seed: 6)
    let judge = RecordingJudge()
    for (examples, negatives, reason) in [
      (3, 40, BalancedScore.Undefined.tooFewExamples), (20, 3, .tooFewNegatives), (0, 0, .tooFewExamples),
    ] {
      let few = try ExplainedFeature(
        key: "few", explain: feature.explain,
        test: .init(
          examples: Array(feature.test.examples.prefix(examples)),
          negatives: Array(feature.test.negatives.prefix(negatives))))
      let score = try #require(try judge.score("a label", of: few).first).score
      #expect(score.balancedAccuracy == nil && score.undefined == reason)
    }
    #expect(judge.calls.isEmpty)
  }

  @Test func evidenceThatCannotBe() throws {
    func make(_ explain: [TokenWindow], _ test: [TokenWindow] = [], silent: [TokenWindow] = []) throws {
      _ = try ExplainedFeature(
        key: "f", explain: .init(examples: explain, negatives: silent), test: .init(examples: test, negatives: []))
    }
    let good = TokenWindow(sequence: 1, pieces: ["a"], activations: [1])
    #expect(throws: Never.self) { try make([good], [TokenWindow(sequence: 2, pieces: ["a"], activations: [1])]) }
    let bad: [[TokenWindow]] = [
      [TokenWindow(sequence: 1, pieces: [], activations: [])],
      [TokenWindow(sequence: 1, pieces: ["a"], activations: [1, 2])],
      [TokenWindow(sequence: 1, pieces: ["a"], activations: [.nan])],
      [TokenWindow(sequence: 1, pieces: ["a", "b"], activations: [1, -1])],
      [TokenWindow(silentIn: 1, pieces: ["a"])],
    ]
    for windows in bad { #expect(throws: ExplanationError.self) { try make(windows) } }
    #expect(throws: ExplanationError.self) { try make([], silent: [good]) }
    let error = #expect(throws: ExplanationError.self) { try make([good], [good]) }
    #expect(error?.description.contains("sequence 1 on both") == true)
  }
}
