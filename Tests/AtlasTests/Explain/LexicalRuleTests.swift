import Atlas
import Foundation
import TestSupport
import Testing

@Suite struct LexicalRuleTests {
  private let tokens = [
    "a", "knives", "\n", "\n\n", "  ", "“", "”", "\"", "\\", "a\\n", "; raises", "with", "日本", "é", "\t", "on “x",
    "<0xe2>", ",",
  ]

  private func list(_ random: inout SeededRandom, _ most: Int) -> [String] {
    var chosen: [String] = []
    for _ in 0..<random.int(0...most) {
      let token = tokens[random.int(0...tokens.count - 1)]
      if !chosen.contains(token) { chosen.append(token) }
    }
    return chosen
  }

  /// Judges see the sentence alone, so it must say all that the rule says.
  @Test func sentencesAreReadBack() {
    var random = SeededRandom(seed: 1)
    for _ in 0..<2000 {
      let rule = LexicalRule(
        tokens: list(&random, 4), after: list(&random, 3), before: list(&random, 3), words: list(&random, 6))
      #expect(LexicalRule(label: "fires " + rule.text + "; raises “ zzz”") == rule, "\(rule.text)")
    }
  }

  @Test func labelsOfOthers() {
    #expect(
      LexicalRule(label: "the word \"Knife\", mostly after “the”") == LexicalRule(tokens: ["knife"], after: ["the"]))
    #expect(LexicalRule(label: "knives and forks").text == "")
    #expect(LexicalRule(label: "an “unfinished string").text == "")
    #expect(LexicalRule(label: "") == LexicalRule<String>())
  }

  /// Against the definition, word for word.
  @Test func firingAgainstAPlainReference() {
    var random = SeededRandom(seed: 2)
    var fired = 0
    for _ in 0..<5000 {
      func numbers(_ most: Int) -> [Int] { (0..<random.int(0...most)).map { _ in random.int(0...7) } }
      let rule = LexicalRule(tokens: numbers(2), after: numbers(2), before: numbers(2), words: Array(Set(numbers(3))))
      let window = (0..<random.int(1...9)).map { _ in random.int(0...7) }
      var places: [Int] = []
      for i in window.indices {
        let token = rule.tokens.isEmpty || rule.tokens.contains(window[i])
        let after = rule.after.isEmpty || (i > 0 && rule.after.contains(window[max(i - 1, 0)]))
        let next = min(i + 1, window.count - 1)
        let before = rule.before.isEmpty || (next > i && rule.before.contains(window[next]))
        if token && after && before { places.append(i) }
      }
      let present = Set(rule.words).intersection(window).count
      let context = rule.words.isEmpty || present >= (rule.words.count == 1 ? 1 : 2)
      let claims = !(rule.tokens + rule.after + rule.before + rule.words).isEmpty
      #expect(rule.fires(in: window) == (claims && context && !places.isEmpty))
      let marks = window.indices.filter { _ in random.int(0...2) == 0 }
      let right = Double(marks.filter { places.contains($0) }.count)
      #expect(
        rule.fires(in: window, on: marks) == (claims && context && !marks.isEmpty && right >= Double(marks.count) / 2))
      if rule.fires(in: window) { fired += 1 }
    }
    #expect(500...4500 ~= fired)
  }

  /// z of the formula, worked out word by word.
  @Test func contextWordsAgainstTheFormula() {
    var random = SeededRandom(seed: 3)
    for _ in 0..<30 {
      let size = random.int(3...12)
      func windows(_ count: Int, fires: Bool) -> [TokenWindow] {
        (0..<count).map { _ in
          let pieces = (0..<size).map { _ in "▁word\(random.int(0...(fires ? 9 : 14)))" }
          let activations = pieces.indices.map { Float(fires && $0 == 0 ? 1 : 0) }
          return TokenWindow(sequence: 0, pieces: pieces, activations: activations)
        }
      }
      let (examples, negatives) = (windows(random.int(2...12), fires: true), windows(random.int(1...15), fires: false))
      var expected: [(String, Double)] = []
      for word in (0...14).map({ "word\($0)" }) {
        let y1 = Double(examples.filter { $0.pieces.contains("▁" + word) }.count)
        let y2 = Double(negatives.filter { $0.pieces.contains("▁" + word) }.count)
        let (n1, n2) = (Double(examples.count), Double(negatives.count))
        let p = (y1 + y2) / (n1 + n2)
        let first = log((y1 + 2 * p) / (n1 - y1 + 2 * (1 - p)))
        let second = log((y2 + 2 * p) / (n2 - y2 + 2 * (1 - p)))
        let z = (first - second) / (1 / (y1 + 2 * p) + 1 / (y2 + 2 * p)).squareRoot()
        if y1 >= 2, z > 1, z.isFinite { expected.append((word, z)) }
      }
      expected.sort { $0.1 > $1.1 }
      let evidence = LexicalEvidence(examples: examples, negatives: negatives)
      let found = evidence.contextWords(limit: 100).map { evidence.names[$0] }
      // Words of equal z may stand in another order.
      #expect(Set(found) == Set(expected.map(\.0)))
      for (a, b) in zip(found, expected) {
        #expect(abs((expected.first { $0.0 == a }?.1 ?? 0) - b.1) < 1e-9)
      }
    }
  }
}
