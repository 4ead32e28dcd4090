/// What training minimises. Fixed for a run; what changes from step to step stands in `StepSettings`.
///
///     loss = Σ_p weight_p · mean_b ‖x̂_p − y‖²  +  λ · mean_b (2/L0*) (‖f_b‖₀ − L0*)²  +  λ_f Σ_i p_i (1 + p_i/p₀)
///            + α · mean_b ‖(y − x̂) − ê‖²
///
/// x̂_p decodes the features below prefix p (of each source), p_i is the share of the batch on which feature i fires, ê
/// decodes the strongest dead features of each token. The second and third terms are for JumpReLU only and act through
/// straight-through estimates on the thresholds (arXiv 2407.14435; the quadratic form is Gemma Scope 2's); the last is
/// AuxK (arXiv 2406.04093) without its normalisation, (y − x̂) held constant. With `normLimit` the errors of outliers in
/// both weigh less.
public struct TrainingObjective: Hashable, Sendable {
  /// Which pre-activations become activations.
  public enum Activation: Hashable, Sendable {
    /// z where z > θ, a learned threshold for each feature.
    case jumpReLU
    /// The k largest positive z of each token, over all sources.
    case topK
    /// The k · batch largest positive z of the batch, over all sources. A running mean of the smallest selected one
    /// becomes the threshold of every feature when the dictionary is saved, as JumpReLU.
    case batchTopK
  }

  /// A Matryoshka prefix: a reconstruction from the first `size` features of every source.
  public struct Prefix: Hashable, Sendable {
    public var size: Int
    public var weight: Float

    public init(size: Int, weight: Float = 1) {
      self.size = size
      self.weight = weight
    }
  }

  /// The auxiliary loss that gives dead features something to do.
  public struct AuxK: Hashable, Sendable {
    /// Dead features per token, over all sources.
    public var k: Int
    /// α.
    public var coefficient: Float
    /// A feature that has not fired for this many tokens is dead.
    public var deadAfterTokens: Int

    public init(k: Int, coefficient: Float = 1.0 / 32, deadAfterTokens: Int) {
      self.k = k
      self.coefficient = coefficient
      self.deadAfterTokens = deadAfterTokens
    }
  }

  public var activation: Activation
  /// Ascending; the last is the whole width. Empty stands for that one with weight 1.
  public var prefixes: [Prefix]
  /// p₀ of the frequency penalty.
  public var frequencyScale: Float
  public var auxK: AuxK?
  /// Targets longer than so many times their batch's median weigh as if they were of that length: their squared errors
  /// are multiplied by (normLimit · median / length)². Attention sinks, dozens of times as long as other tokens, would
  /// otherwise be most of what is learned from. Nil: all weigh the same.
  public var normLimit: Float?
  /// How slowly the running threshold of BatchTopK moves, 0 ..< 1; it is the plain mean until that many steps have passed
  /// that the mean is slower.
  public var thresholdMomentum: Float
  /// A feature that has not fired for this many tokens counts as dead in reports.
  public var deadAfterTokens: Int

  public init(
    activation: Activation, prefixes: [Prefix] = [], frequencyScale: Float = 0.1, auxK: AuxK? = nil,
    normLimit: Float? = nil, thresholdMomentum: Float = 0.99, deadAfterTokens: Int = 1_000_000
  ) {
    self.activation = activation
    self.prefixes = prefixes
    self.frequencyScale = frequencyScale
    self.auxK = auxK
    self.normLimit = normLimit
    self.thresholdMomentum = thresholdMomentum
    self.deadAfterTokens = deadAfterTokens
  }

  /// The prefixes, checked, the implicit one written out.
  /// - Throws: `TrainingError.setting`.
  func checkedPrefixes(width: Int) throws -> [Prefix] {
    func failure(_ name: String, _ expected: String, _ found: Any) -> TrainingError {
      .setting(name: name, expected: expected, found: "\(found)")
    }
    guard frequencyScale > 0, frequencyScale.isFinite else {
      throw failure("frequency scale", "a positive number", frequencyScale)
    }
    guard thresholdMomentum >= 0, thresholdMomentum < 1 else {
      throw failure("threshold momentum", "0 ..< 1", thresholdMomentum)
    }
    if let normLimit, !(normLimit >= 1 && normLimit.isFinite) {
      throw failure("norm limit", "a number from 1", normLimit)
    }
    guard deadAfterTokens > 0 else { throw failure("dead after tokens", "a positive count", deadAfterTokens) }
    if let auxK {
      guard auxK.k > 0 else { throw failure("AuxK's k", "a positive count", auxK.k) }
      guard auxK.coefficient >= 0, auxK.coefficient.isFinite else {
        throw failure("AuxK's coefficient", "a number from 0", auxK.coefficient)
      }
      guard auxK.deadAfterTokens > 0 else {
        throw failure("AuxK's dead after tokens", "a positive count", auxK.deadAfterTokens)
      }
    }
    guard !prefixes.isEmpty else { return [Prefix(size: width)] }
    let sizes = prefixes.map(\.size)
    guard sizes.count <= Self.mostPrefixes, sizes.first ?? 0 > 0, sizes.last == width,
      zip(sizes, sizes.dropFirst()).allSatisfy({ $0 < $1 })
    else { throw failure("prefixes", "at most \(Self.mostPrefixes) rising sizes that end in \(width)", sizes) }
    guard prefixes.allSatisfy({ $0.weight >= 0 && $0.weight.isFinite }) else {
      throw failure("prefix weights", "numbers from 0", prefixes.map(\.weight))
    }
    return prefixes
  }

  /// The kernels hold one running sum for each in registers.
  static let mostPrefixes = 16
}
