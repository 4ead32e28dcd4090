import GRDB

extension ExplanationRun {
  /// Explains features of an atlas and keeps labels and scores in it, `batch` features in a transaction. Where the run
  /// ends early, what was finished is kept.
  ///
  /// ```swift
  /// let run = ExplanationRun(explainer: LexicalExplainer(), judge: LexicalJudge())
  /// try run.explain(try atlas.features(of: "residual"), of: atlas, into: ExplanationStore(atlas))
  /// ```
  /// - Parameters:
  ///   - check, onWait: as for `explain(_:check:onWait:sink:)`.
  ///   - report: takes each result, in the order of the features.
  /// - Throws: `ExplanationError`, `AtlasError`, what `check` and `report` throw.
  public func explain(
    _ keys: [FeatureKey], of atlas: Atlas, into store: ExplanationStore, batch: Int = 64,
    check: () throws -> Void = {}, onWait: (Int) -> Void = { _ in },
    report: (ExplanationResult) throws -> Void = { _ in }
  ) throws {
    let evidence = try AtlasEvidence(atlas)
    var rest = keys[...]
    var finished: [ExplanationResult] = []
    func flush() throws {
      let results = finished
      finished = []
      try store.write(results)
    }
    do {
      try explain(next: { try rest.popFirst().map(evidence.feature) }, check: check, onWait: onWait) { result in
        finished.append(result)
        if finished.count >= batch { try flush() }
        try report(result)
      }
    } catch {
      // The first error tells more than what may go wrong in keeping the rest.
      try? flush()
      throw error
    }
    try flush()
  }
}

extension Atlas {
  /// The features of a dictionary in their order.
  /// - Parameter live: whether only those that were ever on.
  /// - Throws: `AtlasError.dictionary`, `.file`.
  public func features(of name: String, live: Bool = false) throws -> [FeatureKey] {
    let dictionary = try dictionary(name)
    guard live else { return (0..<dictionary.features).map(dictionary.key) }
    return try read { db in
      try Int.fetchAll(
        db, sql: "SELECT id FROM feature WHERE dictionary_id = ? AND rate > 0 ORDER BY id", arguments: [dictionary.id]
      ).map { dictionary.key($0 - dictionary.firstFeature) }
    }
  }

  /// At most `count` of some features, drawn by seed and place, in the order in which they were given: the same on every
  /// machine, and a larger sample holds the smaller one.
  public static func sample(_ keys: [FeatureKey], count: Int, seed: UInt64 = 0) -> [FeatureKey] {
    let order = ChoiceOrder(seed: seed, "features")
    return order.shuffled(Array(keys.indices)).prefix(max(count, 0)).sorted().map { keys[$0] }
  }
}
