/// One test of one label.
public struct LabelScore: Equatable, Sendable {
  public let test: LabelTest
  /// Who judged.
  public let judge: String
  public let score: BalancedScore
}

/// How labels are tested.
public struct ScoringOptions: Equatable, Sendable {
  /// Tests made of each label.
  public var tests: Set<LabelTest> = [.detection]
  /// Windows of each class in a test, at most.
  public var windows = 10
  /// Decides which windows are shown and in what order.
  public var seed: UInt64 = 0

  public init() {}
}

extension Judge {
  /// Tests a label on what is held out of its feature.
  /// - Throws: what `decide` throws.
  public func score(
    _ label: String, of feature: ExplainedFeature, options: ScoringOptions = ScoringOptions(),
    check: @Sendable () throws -> Void = {}
  ) throws -> [LabelScore] {
    try options.tests.sorted().map { test in
      let held = HeldOutTest(test, of: feature, count: options.windows, seed: options.seed)
      if let reason = held.reason {
        return LabelScore(test: test, judge: name, score: BalancedScore(untested: reason))
      }
      let decisions = try decide(label, held.items.map(\.window), for: test, of: feature.key, check: check)
      var score = BalancedScore()
      for (i, item) in held.items.enumerated() {
        // A judge that says too little has not answered the rest.
        let decision = decisions.indices.contains(i) ? decisions[i] : .malformed
        score.add(decision, fires: item.fires, isHard: item.isHard)
      }
      return LabelScore(test: test, judge: name, score: score)
    }
  }
}
