import Atlas
import Foundation
import TestSupport
import Testing

@Suite struct LexicalTests {
  private func label(_ feature: ExplainedFeature) throws -> String {
    try LexicalExplainer().explain(feature, check: {}).text
  }

  private func detection(_ label: String, _ feature: ExplainedFeature) throws -> BalancedScore {
    try #require(try LexicalJudge().score(label, of: feature).first).score
  }

  @Test(arguments: 0..<20) func labelsOfSingleTokensScoreHigh(seed: Int) throws {
    let feature = try PlantedText.singleToken("▁Knives", seed: UInt64(seed))
    let label = try label(feature)
    #expect(label == "fires on “knives”")
    var options = ScoringOptions()
    options.tests = [.detection, .fuzzing]
    for score in try LexicalJudge().score(label, of: feature, options: options) {
      #expect(try #require(score.score.balancedAccuracy) >= 0.95, "\(score)")
      #expect(score.score.answered == 20 && score.score.unanswered == 0)
    }
  }

  /// Labels of other features say nothing of this one.
  @Test func randomLabelsScoreAHalf() throws {
    var sum = 0.0
    for seed in 0..<200 {
      let feature = try PlantedText.singleToken("▁knives", seed: UInt64(seed))
      sum += try #require(try detection("fires on “w\(seed)”, “w\((seed * 7 + 3) % 200)”", feature).balancedAccuracy)
    }
    #expect(abs(sum / 200 - 0.5) < 0.02, "\(sum / 200)")
    let feature = try PlantedText.singleToken("▁knives", seed: 1)
    #expect(try detection("fires on “unseen”", feature).balancedAccuracy == 0.5)
  }

  @Test func tokensAfterOthers() throws {
    let feature = try PlantedText.feature("of after university", seed: 3) { pieces, _ in
      (pieces[23], pieces[24]) = ("▁University", "▁of")
      return [24]
    } spoil: { pieces, random in
      pieces[random.int(1...30)] = "▁of"
    }
    let label = try label(feature)
    #expect(label == "fires after “university”" || label == "fires on “of” after “university”")
    let score = try detection(label, feature)
    #expect(score.balancedAccuracy == 1 && score.hardAccuracy == 1)
    // All negatives hold the token: without its neighbour the label is worth nothing.
    #expect(try detection("fires on “of”", feature).balancedAccuracy == 0.5)
    #expect(score.hardTrueNegatives == 10)
  }

  @Test func tokensBeforeOneThatIsSaid() throws {
    let feature = try PlantedText.feature("say the", seed: 4) { pieces, _ in
      pieces[25] = "▁the"
      return [24]
    }
    let label = try label(feature)
    #expect(label == "fires before “the”")
    #expect(try detection(label, feature).balancedAccuracy == 1)
  }

  @Test func wordsOfAContext() throws {
    let words = ["▁king", "▁lord", "▁throne", "▁castle"]
    let feature = try PlantedText.feature("court", seed: 5, examples: 30) { pieces, random in
      for place in [3, 9, 17, 30] { pieces[place] = words[random.int(0...3)] }
      return [24]
    }
    let label = try label(feature)
    #expect(label.hasPrefix("fires in text with “"))
    #expect(try #require(try detection(label, feature).balancedAccuracy) >= 0.85, "\(label)")
  }

  @Test func likelierTokensStandInTheSentence() throws {
    let feature = try PlantedText.feature(
      "knives", seed: 6, topTokens: [.init("▁axes", 0.5), .init("\n", 0.4), .init("▁no", -1)]
    ) { pieces, _ in
      pieces[24] = "▁knives"
      return [24]
    }
    let label = try label(feature)
    #expect(label == "fires on “knives”; raises “ axes”, “\\n”")
    #expect(try detection(label, feature).balancedAccuracy == 1)
    #expect(LexicalRule(label: label) == LexicalRule(tokens: ["knives"]))
  }

  @Test func whatCannotBeTold() throws {
    let none = ExplainedFeature.Evidence(examples: [], negatives: [])
    for (rate, text) in [(0.0, "never fired"), (1e-6, "fires too rarely to tell on what")] {
      let feature = try ExplainedFeature(key: "dead", explain: none, test: none, rate: rate)
      let explanation = try LexicalExplainer().explain(feature, check: {})
      #expect(explanation.text == text && !explanation.isTestable)
    }
    let always = try PlantedText.feature("always", seed: 1, rate: 0.9) { _, _ in [3] }
    #expect(try LexicalExplainer().explain(always, check: {}).text == "fires on nearly every token")
    let score = try detection("a label without quoted words", always)
    #expect(score.malformed == 20 && score.balancedAccuracy == nil && score.undefined == .tooFewAnswers)
  }

  /// A label is scored, not the feature: what a label was made from has no part in its score.
  @Test func scoresComeFromWhatIsHeldOut() throws {
    let feature = try PlantedText.singleToken("▁knives", seed: 9)
    let other = try PlantedText.singleToken("▁spoons", seed: 10)
    let mutated = try ExplainedFeature(
      key: feature.key, explain: other.explain, test: feature.test, topTokens: [.init("▁x", 3)], rate: 0.4)
    let swapped = try ExplainedFeature(key: feature.key, explain: feature.explain, test: other.test)
    var options = ScoringOptions()
    options.tests = [.detection, .fuzzing]
    for label in ["fires on “knives”", "fires on “w3”, “w17”", "fires in text with “w5”"] {
      let scores = try LexicalJudge().score(label, of: feature, options: options)
      #expect(try LexicalJudge().score(label, of: mutated, options: options) == scores)
    }
    #expect(try detection("fires on “knives”", feature).balancedAccuracy == 1)
    #expect(try detection("fires on “knives”", swapped).balancedAccuracy == 0.5)
  }
}
