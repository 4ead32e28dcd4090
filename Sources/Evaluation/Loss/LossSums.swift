/// Losses summed over the predictions of a sequence, in nats.
public struct LossSums: Equatable, Sendable {
  /// Next tokens predicted; special ones are not counted.
  public var predictions = 0
  /// Σ −log p(next token).
  public var crossEntropy = 0.0
  /// Σ KL(p of the unchanged model ‖ p).
  public var divergence = 0.0

  public init() {}

  mutating func add(_ other: LossSums) {
    predictions += other.predictions
    crossEntropy += other.crossEntropy
    divergence += other.divergence
  }
}

/// What one kind of run lost: of each sequence, and by position.
public struct Losses: Equatable, Sendable {
  public private(set) var sequences: [LossSums] = []
  /// For each sequence by the position of the token that predicts; see `PositionBuckets`.
  private var parts: [[LossSums]] = []

  init() {}

  /// Adds the predictions of one sequence: at each position, the loss and the divergence.
  mutating func add(_ predictions: [(position: Int, crossEntropy: Double, divergence: Double)]) {
    var sum = LossSums()
    var buckets: [LossSums] = []
    for prediction in predictions {
      var one = LossSums()
      one.predictions = 1
      one.crossEntropy = prediction.crossEntropy
      one.divergence = prediction.divergence
      sum.add(one)
      let bucket = PositionBuckets.bucket(prediction.position)
      while buckets.count <= bucket { buckets.append(LossSums()) }
      buckets[bucket].add(one)
    }
    sequences.append(sum)
    parts.append(buckets)
  }

  /// How many buckets of positions there are, from the first.
  var bucketCount: Int { parts.map(\.count).max() ?? 0 }

  /// The predictions made in one bucket of positions alone; sequences without any are left out.
  func inBucket(_ bucket: Int) -> Losses {
    var losses = Losses()
    losses.sequences = parts.compactMap { part in
      part.indices.contains(bucket) && part[bucket].predictions > 0 ? part[bucket] : nil
    }
    return losses
  }

  private var counts: [Double] { sequences.map { Double($0.predictions) } }

  /// Mean cross-entropy, nats a token.
  public var crossEntropy: Estimate { Estimate(sequences.map(\.crossEntropy), per: counts) }

  /// Mean KL(p of the unchanged model ‖ p), nats a token.
  public var divergence: Estimate { Estimate(sequences.map(\.divergence), per: counts) }

  /// Mean cross-entropy less that of `other` on the same predictions; the interval is that of the difference.
  public func delta(from other: Losses) -> Estimate {
    Estimate(zip(sequences, other.sequences).map { $0.crossEntropy - $1.crossEntropy }, per: counts)
  }
}

/// The share of what a baseline costs that a reconstruction saves. It says little alone: a baseline that costs much makes
/// any dictionary look good. So it is never had without the rise of the loss and the baseline's own.
public struct LossRecovered: Equatable, Sendable {
  public enum Baseline: String, CaseIterable, Sendable {
    /// The site's mean activation in its place.
    case mean
    /// Zero in its place.
    case zero
  }

  public let baseline: Baseline
  /// (CE(baseline) − CE(spliced)) / (CE(baseline) − CE(clean)); no value where the baseline costs nothing.
  public let value: Estimate
  /// CE(spliced) − CE(clean).
  public let deltaLoss: Estimate
  /// CE(baseline) − CE(clean).
  public let baselineDeltaLoss: Estimate

  public init(_ baseline: Baseline, clean: Losses, spliced: Losses, ablated: Losses) {
    self.baseline = baseline
    deltaLoss = spliced.delta(from: clean)
    baselineDeltaLoss = ablated.delta(from: clean)
    let saved = zip(ablated.sequences, spliced.sequences).map { $0.crossEntropy - $1.crossEntropy }
    let cost = zip(ablated.sequences, clean.sequences).map { $0.crossEntropy - $1.crossEntropy }
    value = cost.reduce(0, +) > 0 ? Estimate(saved, per: cost) : Estimate(nil)
  }
}
