import Dictionaries
public import Gemma
import Sites
import Tensors

/// k-sparse probing: how well a class of texts is told by k features alone (Gurnee et al. 2023, arXiv 2305.01610;
/// SAEBench, arXiv 2503.09532).
///
/// For each class of a label against the others: features are chosen on training texts by `FeatureSelection`, a
/// logistic regression (C = 1) is fitted to their pooled activations f̄, and the test texts scored. Never without two
/// baselines on the same texts: the same with k channels of the pooled activation x̄ of the site that is read, and a
/// dense probe on all of x̄.
public struct SparseProbing: Equatable, Sendable {
  public var ks = [1, 2, 5]
  public var pooling = Pooling.mean
  public var selection = FeatureSelection.scaleFree
  /// Draws of negatives: figures are means over them.
  public var seeds: [UInt64] = [0, 1, 2]

  public init() {}

  /// Probes several dictionaries with the texts of one label: a result for every read of each.
  ///
  /// Baselines are fitted once for each site.
  /// - Parameters:
  ///   - pooled: of these texts, in their order.
  ///   - dictionaries: which of `pooled.dictionaries`; all when nil.
  /// - Throws: `EvaluationError`, and what `check` throws.
  public func measure(
    _ texts: LabelledTexts, label: String, _ pooled: PooledActivations, dictionaries: [Int]? = nil,
    check: CancellationCheck = {}
  ) throws -> [SparseProbingResult] {
    guard pooled.texts == texts.texts.count else {
      throw EvaluationError.shape(
        what: "pooled activations", expected: "\(texts.texts.count) texts", found: "\(pooled.texts)")
    }
    let chosen = dictionaries ?? Array(pooled.dictionaries.indices)
    for index in chosen where !(pooled.dictionaries.indices ~= index) {
      throw EvaluationError.missing(what: "dictionaries \(index)")
    }
    guard !seeds.isEmpty else { throw EvaluationError.option(name: "seeds", reason: "expected one or more") }
    for k in ks {
      let widest = chosen.map { pooled.dictionaries[$0].shape.width }.min() ?? .max
      guard 1...widest ~= k else {
        throw EvaluationError.option(name: "k", reason: "is \(k), expected 1 to \(widest), the dictionary's width")
      }
    }
    let drawn = try seeds.map { try ProbeTask.all(texts, label: label, seed: $0) }
    let reads = chosen.flatMap { index in pooled.dictionaries[index].shape.reads.indices.map { (index, $0) } }
    var baselines: [ClassRuns] = []
    return try reads.map { index, read in
      let site = pooled.dictionaries[index].shape.reads[read]
      if baselines.first?.site != site {
        baselines = try drawn[0].indices.map { place in
          try ClassRuns(site, drawn.map { $0[place].task }, self, pooled, check)
        }
      }
      let code = try pooled.code(dictionary: index, read: read, pooling)
      let width = pooled.dictionaries[index].shape.width
      let sparse = try drawn[0].indices.map { place in
        try drawn.map { draw in
          try check()
          let task = draw[place].task
          let scores = selection.scores(code, features: width, rows: task.train.rows, labels: task.train.labels)
          return try ks.map { k in
            let features = FeatureSelection.top(scores, k)
            let scores = try run(task) { rows in
              try ProbeRows(
                rows.flatMap { row in features.map { Double(code.activation(ofFeature: $0, inRow: row)) } },
                count: rows.count, columns: features.count)
            }
            return Run(k: k, chosen: features, scores: scores)
          }
        }
      }
      return SparseProbingResult(
        self, dictionary: pooled.dictionaries[index], read: read, set: texts.name, label: label,
        classes: drawn[0].indices.map { place in
          .init(name: drawn[0][place].name, task: drawn[0][place].task, sparse: sparse[place], baselines[place])
        })
    }
  }

  /// A probe that is fitted to the columns of the task's training texts and scores its test texts.
  func run(_ task: ProbeTask, _ rows: ([Int]) throws -> ProbeRows) throws -> Scores {
    let probe = try LogisticRegression().fit(rows(task.train.rows), labels: task.train.labels)
    return try Scores(probe.scores(rows(task.test.rows)), labels: task.test.labels, texts: task.test.rows)
  }

  /// One sparse probe.
  struct Run {
    let k: Int
    let chosen: [Int]
    let scores: Scores
  }

  /// The baselines of one class, by seed.
  struct ClassRuns {
    let site: Site
    var channels: [[Run]] = []
    var dense: [(scores: Scores, c: Double)] = []

    init(
      _ site: Site, _ tasks: [ProbeTask], _ options: SparseProbing, _ pooled: PooledActivations,
      _ check: CancellationCheck
    ) throws {
      self.site = site
      for task in tasks {
        let train = try pooled.rows(task.train.rows, at: site, options.pooling)
        let test = try pooled.rows(task.test.rows, at: site, options.pooling)
        let order = FeatureSelection.top(options.selection.scores(train, labels: task.train.labels), train.columns)
        channels.append(
          try options.ks.map { k in
            let chosen = Array(order.prefix(k))
            let scores = try options.run(task) { rows in
              try (rows == task.train.rows ? train : test).selecting(chosen)
            }
            return Run(k: k, chosen: chosen, scores: scores)
          })
        let fitted = try DenseProbe.fit(train, labels: task.train.labels, check: check)
        let scores = try Scores(fitted.probe.scores(test), labels: task.test.labels, texts: task.test.rows)
        dense.append((scores, fitted.c))
      }
    }
  }
}
