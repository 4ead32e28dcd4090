public import Sites

/// What targeted probe perturbation found, with its baselines.
public struct TargetedPerturbationResult: Sendable {
  /// Accuracy that probes lose.
  public struct Loss: Equatable, Sendable {
    /// The ablated class's probe.
    public let intended: Estimate
    /// The other probes' mean.
    public let unintended: Estimate
    /// Intended less unintended.
    public let score: Estimate

    fileprivate init(_ intended: TextStatistic, _ unintended: TextStatistic) {
      self.intended = intended.estimate
      self.unintended = unintended.estimate
      score = (intended - unintended).estimate
    }
  }

  /// With some parts taken out.
  public struct Point: Equatable, Sendable {
    /// Parts asked for.
    public let count: Int
    /// Mean over classes.
    public let mean: Loss
    /// For each class ablated.
    public let classes: [Loss]
  }

  public let set: String
  public let label: String
  public let dictionary: String
  /// The written site that probes read.
  public let site: Site
  public let options: TargetedPerturbation
  public let classes: [String]
  /// Accuracy of each class's probe with nothing taken out.
  public let clean: [Estimate]
  /// With features ablated, for each count.
  public let features: [Point]
  /// Features taken out, for each count, class and seed: fewer than asked for where no more speak for the class.
  public let removed: [[[Int]]]
  /// With channels of x̄ set to their mean, for each count.
  public let channels: [Point]
  /// With the class's probe direction projected out.
  public let projection: Point

  package init(
    set: String, label: String, dictionary: String, site: Site, options: TargetedPerturbation, classes: [String],
    runs: [TargetedPerturbationRun]
  ) {
    (self.set, self.label, self.dictionary, self.site, self.options) = (set, label, dictionary, site, options)
    self.classes = classes
    clean = classes.indices.map { place in TextStatistic.mean(runs.map { $0.clean[place] }).estimate }
    removed = options.counts.indices.map { count in
      classes.indices.map { place in runs.map { $0.removed[place][count] } }
    }
    func points(_ part: KeyPath<TargetedPerturbationRun, [[[TextStatistic]]]>, _ counts: [Int]) -> [Point] {
      counts.enumerated().map { at, count in
        let losses = classes.indices.map { ablated in
          let byRun = runs.map { run in
            classes.indices.map { run.clean[$0] - run[keyPath: part][ablated][at][$0] }
          }
          let intended = TextStatistic.mean(byRun.map { $0[ablated] })
          let others = byRun.flatMap { losses in classes.indices.filter { $0 != ablated }.map { losses[$0] } }
          return (intended, TextStatistic.mean(others))
        }
        return Point(
          count: count, mean: Loss(TextStatistic.mean(losses.map(\.0)), TextStatistic.mean(losses.map(\.1))),
          classes: losses.map { Loss($0.0, $0.1) })
      }
    }
    features = points(\.features, options.counts)
    channels = points(\.channels, options.counts)
    projection = points(\.projection, [1])[0]
  }
}
