import Evaluation
import Foundation
import TestSupport
import Testing

@Suite struct ScoresTests {
  /// Against counting every pair and every call, with many ties.
  @Test(arguments: [1, 2, 3, 17, 40]) func followTheDefinitions(count: Int) throws {
    for seed in 0..<20 {
      var random = SeededRandom(seed: UInt64(seed * 100 + count))
      let scores = (0..<count).map { _ in Double(random.int(-3...3)) / 2 }
      let labels = (0..<count).map { _ in random.int(0...1) == 1 }
      let found = try Scores(scores, labels: labels, texts: Array(0..<count))
      let (positives, negatives) = (scores.indices.filter { labels[$0] }, scores.indices.filter { !labels[$0] })
      var wins = 0.0
      for p in positives { for n in negatives { wins += scores[p] > scores[n] ? 1 : scores[p] == scores[n] ? 0.5 : 0 } }
      let pairs = Double(positives.count * negatives.count)
      func close(_ a: TextStatistic, _ b: Double?) -> Bool {
        guard let b else { return a.value == nil }
        return abs((a.value ?? .nan) - b) < 1e-12
      }
      #expect(close(found.auc, pairs > 0 ? wins / pairs : nil))
      let called = scores.indices.filter { scores[$0] > 0 }
      let hits = Double(called.count { labels[$0] })
      let right = Double(scores.indices.count { (scores[$0] > 0) == labels[$0] })
      #expect(close(found.accuracy, right / Double(count)))
      #expect(close(found.precision, called.isEmpty ? nil : hits / Double(called.count)))
      #expect(close(found.recall, positives.isEmpty ? nil : hits / Double(positives.count)))
      let either = Double(called.count + positives.count)
      #expect(close(found.f1, either > 0 ? 2 * hits / either : nil))
    }
  }

  /// The interval of an accuracy is that of a ratio; of a difference on the same texts, that of the differences.
  @Test func intervalsArePaired() throws {
    var random = SeededRandom(seed: 4)
    let n = 50
    let labels = (0..<n).map { _ in random.int(0...1) == 1 }
    let scores = (0..<2).map { _ in (0..<n).map { _ in Double(random.float()) } }
    let found = try scores.map { try Scores($0, labels: labels, texts: Array(0..<n)).accuracy }
    let right = scores.map { zip($0, labels).map { ($0 > 0) == $1 ? 1.0 : 0 } }
    let ones = [Double](repeating: 1, count: n)
    func close(_ a: Estimate, _ b: Estimate) -> Bool {
      let pairs: [(Double?, Double?)] = [(a.value, b.value), (a.low, b.low), (a.high, b.high)]
      return a.groups == b.groups && pairs.allSatisfy { abs(($0 ?? .nan) - ($1 ?? .nan)) < 1e-12 }
    }
    #expect(close(found[0].estimate, Estimate(right[0], per: ones)))
    let difference = zip(right[0], right[1]).map { $0 - $1 }
    #expect(close((found[0] - found[1]).estimate, Estimate(difference, per: ones)))
    let middle = zip(right[0], right[1]).map { ($0 + $1) / 2 }
    #expect(close(TextStatistic.mean(found).estimate, Estimate(middle, per: ones)))
    #expect(close((found[0] / found[1]).estimate, Estimate(right[0], per: right[1])))
    #expect((found[0] - found[0]).estimate.high == 0)
  }

  /// 95 % intervals of the AUC hold the true one (Φ(1) for unit normals √2 apart) about as often as they say.
  @Test func intervalsOfTheAreaCover() throws {
    var random = SeededRandom(seed: 9)
    func normal() -> Double {
      (-2 * log(Double(random.float()) / 2 + 0.5 + 1e-9)).squareRoot() * cos(Double.pi * Double(random.float()))
    }
    let truth = 0.5 * erfc(-1 / 2.0.squareRoot())
    var held = 0
    for _ in 0..<500 {
      let labels = (0..<80).map { $0 < 40 }
      let scores = labels.map { $0 ? normal() + 2.0.squareRoot() : normal() }
      let area = try Scores(scores, labels: labels, texts: Array(0..<80)).auc.estimate
      if let low = area.low, let high = area.high, low <= truth, truth <= high { held += 1 }
    }
    #expect((455...492).contains(held), "\(held) of 500")
  }

  @Test func whatDoesNotFitIsNamed() {
    #expect(throws: EvaluationError.self) { try Scores([1, 2], labels: [true], texts: [0, 1]) }
    #expect(TextStatistic.mean([]).value == nil && TextStatistic.mean([]).estimate.value == nil)
  }
}
