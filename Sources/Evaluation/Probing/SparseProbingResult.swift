import Dictionaries
public import Sites

/// How well probes tell test texts, as means over seeds (and classes, where several are put together).
public struct ProbeFigures: Equatable, Sendable {
  public let accuracy: Estimate
  public let auc: Estimate
  public let f1: Estimate
  /// The accuracy with each seed, in order.
  public let accuracyBySeed: [Double?]

  /// - Parameter runs: for each seed, those of every class.
  init(_ runs: [[Scores]]) {
    func mean(_ figure: KeyPath<Scores, TextStatistic>) -> Estimate {
      TextStatistic.mean(runs.joined().map { $0[keyPath: figure] }).estimate
    }
    (accuracy, auc, f1) = (mean(\.accuracy), mean(\.auc), mean(\.f1))
    accuracyBySeed = runs.map { TextStatistic.mean($0.map(\.accuracy)).value }
  }
}

/// What k-sparse probing of one read of a dictionary found, with its baselines.
public struct SparseProbingResult: Sendable {
  /// Probes that read k columns.
  public struct Sparse: Equatable, Sendable {
    public let k: Int
    public let figures: ProbeFigures
    /// The columns chosen with each seed, best first; fewer than k where no more tell anything.
    public let columns: [[Int]]
  }

  /// One class against the others.
  public struct Class: Sendable {
    public let name: String
    /// Texts of each seed's draw, half of them of the class.
    public let trainTexts, testTexts: Int
    /// Of features, for each k.
    public let features: [Sparse]
    /// Of channels of x̄, for each k.
    public let channels: [Sparse]
    /// Of all of x̄.
    public let dense: ProbeFigures
    /// The C that the dense probe was given, by seed.
    public let denseC: [Double]
    fileprivate let runs: (features: [[Scores]], channels: [[Scores]], dense: [Scores])

    init(name: String, task: ProbeTask, sparse: [[SparseProbing.Run]], _ baselines: SparseProbing.ClassRuns) {
      self.name = name
      (trainTexts, testTexts) = (task.train.rows.count, task.test.rows.count)
      runs = (
        sparse.map { $0.map(\.scores) }, baselines.channels.map { $0.map(\.scores) }, baselines.dense.map(\.scores)
      )
      features = Self.figures(sparse)
      channels = Self.figures(baselines.channels)
      dense = ProbeFigures(runs.dense.map { [$0] })
      denseC = baselines.dense.map(\.c)
    }

    private static func figures(_ runs: [[SparseProbing.Run]]) -> [Sparse] {
      (runs.first ?? []).indices.map { place in
        Sparse(
          k: runs[0][place].k, figures: ProbeFigures(runs.map { [$0[place].scores] }),
          columns: runs.map { $0[place].chosen })
      }
    }
  }

  /// All classes together: the mean of their figures.
  public struct Mean: Equatable, Sendable {
    public let k: Int
    public let features: ProbeFigures
    public let channels: ProbeFigures
  }

  public let set: String
  public let label: String
  public let dictionary: String
  /// The site whose features, and whose x̄, are probed.
  public let site: Site
  public let options: SparseProbing
  public let classes: [Class]
  public let means: [Mean]
  public let dense: ProbeFigures

  init(
    _ options: SparseProbing, dictionary: SparseDictionary, read: Int, set: String, label: String, classes: [Class]
  ) {
    (self.options, self.set, self.label, self.classes) = (options, set, label, classes)
    self.dictionary = dictionary.name
    site = dictionary.shape.reads[read]
    func runs(_ part: (Class) -> [Scores]) -> [[Scores]] {
      let byClass = classes.map(part)
      return options.seeds.indices.map { seed in byClass.map { $0[seed] } }
    }
    means = options.ks.enumerated().map { place, k in
      Mean(
        k: k, features: ProbeFigures(runs { $0.runs.features.map { $0[place] } }),
        channels: ProbeFigures(runs { $0.runs.channels.map { $0[place] } }))
    }
    dense = ProbeFigures(runs { $0.runs.dense })
  }
}
