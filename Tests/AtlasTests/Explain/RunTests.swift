import Atlas
import Foundation
import Synchronization
import TestSupport
import Testing

/// Runs without a server.
@Suite struct RunTests {
  private struct Failure: Error, Equatable { let number: Int }

  /// Explains after a while, or fails where it is told to.
  private struct SlowExplainer: Explainer {
    let author = "slow"
    let method = "test"
    var failing: Set<String> = []
    var refusing: Set<String> = []

    func explain(_ feature: ExplainedFeature, check: @Sendable () throws -> Void) throws -> Explanation {
      try check()
      let number = Int(feature.key.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 0
      Thread.sleep(forTimeInterval: Double((number * 7) % 5) * 0.003)
      if failing.contains(feature.key) { throw Failure(number: number) }
      if refusing.contains(feature.key) { throw CallFailure.refused }
      return try LexicalExplainer().explain(feature, check: check)
    }
  }

  private func features(_ count: Int) throws -> [ExplainedFeature] {
    try (0..<count).map { i in try PlantedText.singleToken("▁f\(i)x", seed: UInt64(i)) }
  }

  @Test func resultsDoNotDependOnThreads() throws {
    let features = try features(30)
    var all: [[ExplanationResult]] = []
    for parallel in [1, 2, 7] {
      var results: [ExplanationResult] = []
      let run = ExplanationRun(explainer: SlowExplainer(), judge: LexicalJudge(), parallel: parallel)
      try run.explain(features) { results.append($0) }
      all.append(results)
    }
    #expect(all[0].map(\.key) == features.map(\.key) && all[1] == all[0] && all[2] == all[0])
    #expect(all[0].allSatisfy { $0.scores.first?.score.balancedAccuracy == 1 })
  }

  @Test func featuresAreReadAsTheyAreNeeded() throws {
    let features = try features(40)
    var (read, given) = (0, 0)
    var furthest = 0
    let run = ExplanationRun(explainer: SlowExplainer(), judge: LexicalJudge(), parallel: 3)
    try run.explain(
      next: {
        furthest = max(furthest, read - given)
        defer { read += 1 }
        return read < features.count ? features[read] : nil
      }, sink: { _ in given += 1 })
    #expect(given == 40 && furthest <= 6)
  }

  @Test func failuresOfOneFeatureAreItsOwn() throws {
    let features = try features(6)
    var explainer = SlowExplainer()
    explainer.refusing = [features[2].key]
    var results: [ExplanationResult] = []
    try ExplanationRun(explainer: explainer, judge: LexicalJudge()).explain(features) { results.append($0) }
    #expect(results.count == 6 && results[2].explanation == .failure(.refused) && results[2].scores.isEmpty)
    #expect(results.count { $0.scores.count == 1 } == 5)
  }

  @Test func errorsEndTheRunAndLoseNothing() throws {
    let features = try features(30)
    for number in [0, 13, 29] {
      var explainer = SlowExplainer()
      explainer.failing = [features[number].key]
      var keys: [String] = []
      let run = ExplanationRun(explainer: explainer, judge: LexicalJudge(), parallel: 3)
      #expect(throws: Failure(number: number)) { try run.explain(features) { keys.append($0.key) } }
      // Two others may have been at work, and are told to stop.
      let order = keys.compactMap { key in features.firstIndex { $0.key == key } }
      #expect(order == order.sorted() && !order.contains(number) && Set(order).count == keys.count)
      #expect(order.count { $0 < number } >= number - 2 && keys.count <= number + 6)
    }
  }

  @Test func callersErrorsComeBack() throws {
    let features = try features(10)
    let run = ExplanationRun(explainer: SlowExplainer(), judge: LexicalJudge(), parallel: 2)
    var given = 0
    #expect(throws: Failure(number: 1)) {
      try run.explain(features) { _ in
        given += 1
        if given == 3 { throw Failure(number: 1) }
      }
    }
    #expect(given == 3)
    #expect(throws: Failure(number: 2)) { try run.explain(next: { throw Failure(number: 2) }, sink: { _ in }) }
    #expect(throws: Failure(number: 3)) {
      try run.explain(features, check: { throw Failure(number: 3) }, sink: { _ in })
    }
    try run.explain([], sink: { _ in Issue.record("nothing was to be explained") })
    for parallel in [0, -1, 257] {
      #expect(throws: ExplanationError.self) {
        try ExplanationRun(explainer: SlowExplainer(), judge: LexicalJudge(), parallel: parallel)
          .explain(features) { _ in }
      }
    }
  }
}
