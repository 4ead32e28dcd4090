public import Sites

/// What spurious correlation removal found, with its baselines.
public struct SpuriousCorrelationResult: Sendable {
  /// With some parts taken out.
  public struct Point: Equatable, Sendable {
    /// Parts asked for.
    public let count: Int
    /// Parts taken out with each seed: fewer where no more have an effect.
    public let removed: [Int]
    /// The confounded probe's accuracy on the kept concept.
    public let accuracy: Estimate
    /// (accuracy − confounded) / (clean − confounded): 1 is all that confounding cost. No value where `undefined` says
    /// why.
    public let score: Estimate
  }

  /// One concept kept, the other taken out.
  public struct Direction: Sendable {
    public let kept, removed: Concept
    /// Accuracy of a probe trained on the kept concept alone.
    public let clean: Estimate
    /// Accuracy of the confounded probe on the kept concept.
    public let confounded: Estimate
    /// Why there is no score, where there is none.
    public let undefined: String?
    /// With features ablated, for each count.
    public let features: [Point]
    /// With channels of x̄ set to their mean.
    public let channels: [Point]
    /// With the removed concept's probe direction projected out.
    public let projection: Point
  }

  public let set: String
  public let dictionary: String
  /// The written site that probes read.
  public let site: Site
  public let options: SpuriousCorrelation
  /// Texts of each quadrant to train a clean probe, and to test.
  public let trainTexts, testTexts: Int
  /// The second concept taken out, then the first.
  public let directions: [Direction]
  /// The direction that SAEBench reports: the one whose kept concept the confounded probe tells worse; the first when
  /// both are equal.
  public let reported: Int

  /// What the denominator must exceed.
  static let smallestGap = 0.02

  package init(
    set: String, dictionary: String, site: Site, options: SpuriousCorrelation, concepts: (Concept, Concept),
    trainTexts: Int, testTexts: Int, runs: [SpuriousCorrelationRun]
  ) {
    (self.set, self.dictionary, self.site, self.options) = (set, dictionary, site, options)
    (self.trainTexts, self.testTexts) = (trainTexts, testTexts)
    directions = [0, 1].map { way in
      let runs = runs.map { $0.directions[way] }
      let (clean, confounded) = (TextStatistic.mean(runs.map(\.clean)), TextStatistic.mean(runs.map(\.confounded)))
      let gap = clean - confounded
      let undefined = Self.problem(gap.estimate)
      func points(
        _ part: KeyPath<SpuriousCorrelationRun.Direction, SpuriousCorrelationRun.Removed>, _ counts: [Int]
      ) -> [Point] {
        counts.enumerated().map { place, count in
          let accuracy = TextStatistic.mean(runs.map { $0[keyPath: part].accuracies[place] })
          return Point(
            count: count, removed: runs.map { $0[keyPath: part].removed[place] }, accuracy: accuracy.estimate,
            score: undefined == nil ? ((accuracy - confounded) / gap).estimate : Estimate(nil))
        }
      }
      return Direction(
        kept: way == 0 ? concepts.0 : concepts.1, removed: way == 0 ? concepts.1 : concepts.0, clean: clean.estimate,
        confounded: confounded.estimate, undefined: undefined, features: points(\.features, options.counts),
        channels: points(\.channels, options.counts), projection: points(\.projection, [1])[0])
    }
    let accuracies = directions.map { $0.confounded.value ?? 0 }
    reported = accuracies[1] < accuracies[0] ? 1 : 0
  }

  private static func problem(_ gap: Estimate) -> String? {
    guard let value = gap.value else { return "an accuracy is not defined" }
    if value < smallestGap { return "confounding costs the probe less than \(smallestGap) of accuracy" }
    if let low = gap.low, low <= 0 { return "what confounding costs the probe does not differ from nothing" }
    return nil
  }
}
