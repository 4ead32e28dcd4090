import Dictionaries
public import Gemma

/// Targeted probe perturbation, TPP (Karvonen et al. 2024, arXiv 2411.18895; SAEBench, arXiv 2503.09532): does ablating
/// the features of one class harm that class's probe alone?
///
/// For each class of a label a probe against the others; the N features that speak most for class i are ablated
/// (`ConceptParts`) and every probe tested again, on the same texts as before. The score is what probe i loses less
/// what the others lose on average. Beside it the same with class i's probe direction projected out, and with N
/// channels set to their mean.
///
/// Longer training can lower the score of better dictionaries (Chanin 2026, arXiv 2605.18229): see docs/metrics.md.
public struct TargetedPerturbation: Equatable, Sendable {
  /// Numbers of features to ablate.
  public var counts = [2, 5, 10, 20, 50, 100, 500]
  public var pooling = Pooling.mean
  /// Draws of texts: figures are means over them.
  public var seeds: [UInt64] = [0, 1, 2]

  public init() {}

  /// - Parameters:
  ///   - label: of three classes or more.
  ///   - pooled: of these texts, in their order.
  ///   - dictionary: which of `pooled.dictionaries`.
  ///   - write: the written site that probes read, by place.
  /// - Throws: `EvaluationError`, and what `check` throws.
  public func measure(
    _ texts: LabelledTexts, label: String, _ pooled: PooledActivations, dictionary: Int, write: Int = 0,
    check: CancellationCheck = {}
  ) throws -> TargetedPerturbationResult {
    try RemovalOptions.validate(texts, pooled, counts: counts, seeds: seeds)
    let classes = try texts.classes(of: label)
    guard classes.count >= 3 else {
      throw EvaluationError.texts(
        path: texts.path,
        reason: "label '\(label)' has \(classes.count) classes, expected 3 or more: of two, one is the other's rest")
    }
    let parts = try ConceptParts(pooled, dictionary: dictionary, write: write, pooling)
    let owner = pooled.dictionaries[dictionary]
    let site = owner.shape.writes[write]
    let all = try pooled.rows(Array(0..<pooled.texts), at: site, pooling)
    let runs = try seeds.map { seed in
      let tasks = try ProbeTask.all(texts, label: label, seed: seed).map(\.task)
      let probes = try tasks.map { task in
        try DenseProbe.fit(all.selecting(rows: task.train.rows), labels: task.train.labels, check: check).probe
      }
      return try TargetedPerturbationRun(tasks, probes: probes, all, parts: parts, counts: counts)
    }
    return TargetedPerturbationResult(
      set: texts.name, label: label, dictionary: owner.name, site: site, options: self, classes: classes, runs: runs)
  }
}

/// What one draw of texts gives.
package struct TargetedPerturbationRun: Sendable {
  /// Accuracy of each class's probe.
  package let clean: [TextStatistic]
  /// For each class ablated, each count and each class's probe: its accuracy.
  package let features, channels: [[[TextStatistic]]]
  /// The same with one direction projected out instead.
  package let projection: [[[TextStatistic]]]
  /// For each class ablated and each count the features taken out.
  package let removed: [[Int]]

  /// - Parameters:
  ///   - probes: one for each task.
  ///   - all: x̄ of every text.
  package init(
    _ tasks: [ProbeTask], probes: [LinearProbe], _ all: ProbeRows, parts: ConceptParts, counts: [Int]
  ) throws {
    let means = try all.selecting(rows: Set(tasks.flatMap(\.train.rows)).sorted()).means
    let tests = try tasks.map { try all.selecting(rows: $0.test.rows) }
    let scores = try zip(probes, tests).map { try $0.scores($1) }
    func accuracy(_ scores: [Double], _ probe: Int) throws -> TextStatistic {
      try Scores(scores, labels: tasks[probe].test.labels, texts: tasks[probe].test.rows).accuracy
    }
    func ablated(_ parts: ConceptParts) throws -> (accuracies: [[[TextStatistic]]], removed: [[Int]]) {
      let effects = try ConceptEffects(parts, probes: probes)
      let orders = tasks.indices.map {
        effects.strongest(.towards, probe: $0, tasks[$0].train, limit: counts.max() ?? 0)
      }
      let byProbe = try orders.map { order in
        try probes.indices.map { probe in
          try effects.scores(
            scores[probe], of: tasks[probe].test.rows, probe: probe, without: order, counts: counts
          ).map { try accuracy($0, probe) }
        }
      }
      let byCount = byProbe.map { byProbe in counts.indices.map { count in byProbe.map { $0[count] } } }
      return (byCount, orders.map { order in counts.map { min($0, order.count) } })
    }
    clean = try probes.indices.map { try accuracy(scores[$0], $0) }
    (features, removed) = try ablated(parts)
    channels = try ablated(ConceptParts(channels: all, means: means)).accuracies
    projection = try probes.map { direction in
      [
        try probes.indices.map { probe in
          let projected = ConceptEffects.scores(
            scores[probe], tests[probe], probe: probes[probe], without: direction, means: means)
          return try accuracy(projected, probe)
        }
      ]
    }
  }
}
