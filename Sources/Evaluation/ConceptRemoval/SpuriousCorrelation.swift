import Dictionaries
public import Gemma

/// Spurious correlation removal, SCR (Karvonen et al. 2024, arXiv 2411.18895; SAEBench, arXiv 2503.09532): can a
/// dictionary's features take one of two confounded concepts out of a probe's way?
///
/// A probe that was trained on texts where concepts a and b coincide mixes them. The N features that tell b most are
/// ablated (`ConceptParts`), and the share of the accuracy on a that comes back is the score; then a and b change
/// places. Two baselines take b out in other ways: its probe's direction projected out, and N channels set to their mean.
///
/// Scores of large N can rank dictionaries the wrong way round (Chanin 2026, arXiv 2605.18229): see docs/metrics.md.
public struct SpuriousCorrelation: Equatable, Sendable {
  /// Numbers of features to ablate.
  public var counts = [2, 5, 10, 20, 50, 100, 500]
  public var pooling = Pooling.mean
  /// Draws of texts: figures are means over them.
  public var seeds: [UInt64] = [0, 1, 2]

  public init() {}

  /// - Parameters:
  ///   - pooled: of these texts, in their order.
  ///   - dictionary: which of `pooled.dictionaries`.
  ///   - write: the written site that probes read, by place.
  /// - Throws: `EvaluationError`, and what `check` throws.
  public func measure(
    _ texts: LabelledTexts, _ a: Concept, _ b: Concept, _ pooled: PooledActivations, dictionary: Int, write: Int = 0,
    check: CancellationCheck = {}
  ) throws -> SpuriousCorrelationResult {
    try RemovalOptions.validate(texts, pooled, counts: counts, seeds: seeds)
    let parts = try ConceptParts(pooled, dictionary: dictionary, write: write, pooling)
    let owner = pooled.dictionaries[dictionary]
    let site = owner.shape.writes[write]
    let all = try pooled.rows(Array(0..<pooled.texts), at: site, pooling)
    var (runs, draws): ([SpuriousCorrelationRun], [ConceptDraw]) = ([], [])
    for seed in seeds {
      let draw = try ConceptDraw(texts, a, b, seed: seed)
      let probes = try [draw.a, draw.b, draw.confounded].map { split in
        try DenseProbe.fit(all.selecting(rows: split.rows), labels: split.labels, check: check).probe
      }
      runs.append(try SpuriousCorrelationRun(draw, probes: probes, all, parts: parts, counts: counts))
      draws.append(draw)
    }
    return SpuriousCorrelationResult(
      set: texts.name, dictionary: owner.name, site: site, options: self, concepts: (a, b),
      trainTexts: draws[0].trainQuadrant, testTexts: draws[0].testQuadrant, runs: runs)
  }
}

enum RemovalOptions {
  static func validate(_ texts: LabelledTexts, _ pooled: PooledActivations, counts: [Int], seeds: [UInt64]) throws {
    guard pooled.texts == texts.texts.count else {
      throw EvaluationError.shape(
        what: "pooled activations", expected: "\(texts.texts.count) texts", found: "\(pooled.texts)")
    }
    guard !seeds.isEmpty else { throw EvaluationError.option(name: "seeds", reason: "expected one or more") }
    guard !counts.isEmpty, counts.allSatisfy({ $0 > 0 }) else {
      throw EvaluationError.option(name: "counts", reason: "are \(counts), expected numbers of features from 1")
    }
  }
}

/// What one draw of texts gives.
package struct SpuriousCorrelationRun: Sendable {
  /// One way to take parts out.
  package struct Removed: Sendable {
    /// The confounded probe's accuracy on the concept kept, for each count.
    package let accuracies: [TextStatistic]
    /// Parts taken out, for each count.
    package let removed: [Int]
  }

  /// One concept kept, the other taken out.
  package struct Direction: Sendable {
    /// Of the kept concept's own probe, and of the confounded probe on the kept concept.
    package let clean, confounded: TextStatistic
    package let features, channels, projection: Removed
  }

  /// b taken out, then a.
  package let directions: [Direction]

  /// - Parameters:
  ///   - probes: of a, b, and both confounded.
  ///   - all: x̄ of every text.
  package init(
    _ draw: ConceptDraw, probes: [LinearProbe], _ all: ProbeRows, parts: ConceptParts, counts: [Int]
  ) throws {
    let means = try all.selecting(rows: draw.a.rows).means
    let test = try all.selecting(rows: draw.test)
    let scores = try probes.map { try $0.scores(test) }
    let effects = try [parts, ConceptParts(channels: all, means: means)].map { try ConceptEffects($0, probes: probes) }
    func accuracy(_ scores: [Double], _ labels: [Bool]) throws -> TextStatistic {
      try Scores(scores, labels: labels, texts: draw.test).accuracy
    }
    directions = try [(0, 1), (1, 0)].map { kept, out in
      let labels = kept == 0 ? draw.testA : draw.testB
      let split = out == 0 ? draw.a : draw.b
      let removed = try effects.map { effects in
        let order = effects.strongest(.eitherWay, probe: out, split, limit: counts.max() ?? 0)
        let ablated = effects.scores(scores[2], of: draw.test, probe: 2, without: order, counts: counts)
        return Removed(
          accuracies: try ablated.map { try accuracy($0, labels) }, removed: counts.map { min($0, order.count) })
      }
      let projected = ConceptEffects.scores(scores[2], test, probe: probes[2], without: probes[out], means: means)
      return Direction(
        clean: try accuracy(scores[kept], labels), confounded: try accuracy(scores[2], labels), features: removed[0],
        channels: removed[1], projection: Removed(accuracies: [try accuracy(projected, labels)], removed: [1]))
    }
  }
}
