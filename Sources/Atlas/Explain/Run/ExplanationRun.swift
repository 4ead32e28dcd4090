/// What a run gives for one feature.
public struct ExplanationResult: Equatable, Sendable {
  /// The feature's key.
  public let key: String
  /// Who explained, and how.
  public let author: String
  public let method: String
  /// The label, or why there is none.
  public let explanation: Result<Explanation, CallFailure>
  /// One for each test asked for; none where there is no label to test.
  public let scores: [LabelScore]
}

/// Labels features and tests the labels.
///
/// ```swift
/// let run = ExplanationRun(explainer: LexicalExplainer(), judge: LexicalJudge())
/// try run.explain(features, check: Interruption.check) { result in try store(result) }
/// ```
///
/// With a judge behind a `JudgeSession`, a run that was stopped or killed is started again with the same features, seed
/// and ledger: answers that are there are not asked for again.
public struct ExplanationRun: Sendable {
  private let explainer: any Explainer
  private let judge: any Judge
  private let options: ScoringOptions
  private let parallel: Int

  /// A run that ends early waits for all answers under way, which are paid for; each comes or fails within its own timeout.
  /// - Parameter parallel: features at work at the same time. Results do not depend on it.
  public init(
    explainer: any Explainer, judge: any Judge, options: ScoringOptions = ScoringOptions(), parallel: Int = 4
  ) {
    self.explainer = explainer
    self.judge = judge
    self.options = options
    self.parallel = parallel
  }

  /// Explains features as they come, a few ahead of what is given out.
  /// - Parameters:
  ///   - check: called several times a second on the calling thread; throws to stop.
  ///   - onWait: called at most once, where the run ends early and answers are under way, with their number.
  ///   - sink: takes results on the calling thread, in the order of the features. Where a run ends early it still gets
  ///     the results that were finished, some features left out.
  /// - Throws: `ExplanationError`, what `check` and `sink` throw.
  public func explain(
    _ features: some Sequence<ExplainedFeature>, check: () throws -> Void = {}, onWait: (Int) -> Void = { _ in },
    sink: (ExplanationResult) throws -> Void
  ) throws {
    var iterator = features.makeIterator()
    try explain(next: { iterator.next() }, check: check, onWait: onWait, sink: sink)
  }

  /// The same for features that are read as they are needed; `next` gives nil after the last.
  /// - Throws: also what `next` throws.
  public func explain(
    next: () throws -> ExplainedFeature?, check: () throws -> Void = {}, onWait: (Int) -> Void = { _ in },
    sink: (ExplanationResult) throws -> Void
  ) throws {
    guard 1...256 ~= parallel else {
      throw ExplanationError.setting(name: "features in parallel", expected: "1 to 256", found: "\(parallel)")
    }
    guard 1...1000 ~= options.windows else {
      throw ExplanationError.setting(name: "windows of a test", expected: "1 to 1000", found: "\(options.windows)")
    }
    let workers = OrderedWorkers(count: parallel, work: result)
    try workers.run(next: next, check: check, onWait: onWait, sink: sink)
  }

  @Sendable private func result(
    _ feature: ExplainedFeature, _ check: @Sendable () throws -> Void
  ) throws -> ExplanationResult {
    let explanation: Result<Explanation, CallFailure>
    do {
      explanation = .success(try explainer.explain(feature, check: check))
    } catch let failure as CallFailure {
      explanation = .failure(failure)
    }
    var scores: [LabelScore] = []
    if case .success(let label) = explanation, label.isTestable {
      scores = try judge.score(label.text, of: feature, options: options, check: check)
    }
    return ExplanationResult(
      key: feature.key, author: explainer.author, method: explainer.method, explanation: explanation, scores: scores)
  }
}
