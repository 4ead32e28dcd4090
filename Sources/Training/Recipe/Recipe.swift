public import Dictionaries
public import Sites

/// How one dictionary is trained. It is one JSON file, in which every key but `reads` and `width` has a default; the
/// keys are documented in `docs/training.md`.
///
/// ```json
/// {"schema":1,"kind":"sae","reads":"resid_post.9","width":16384,"objective":"jumprelu","l0":60}
/// ```
///
/// The defaults are those of Gemma Scope 2 where it published them (technical paper, section 3; Gemma Scope,
/// arXiv 2408.05147, section 3 and appendix B).
public struct Recipe: Equatable, Sendable {
  /// What decides which features of a token are active.
  public enum Objective: String, CaseIterable, Sendable, Encodable {
    /// A threshold for each feature, trained towards the target L0 (arXiv 2407.14435; quadratic as in Gemma Scope 2).
    case jumprelu
    /// The `l0`·batch largest of a batch (arXiv 2412.06410); a running threshold is saved.
    case batchtopk
    /// The `l0` largest of each token (arXiv 2406.04093); a running threshold is saved.
    case topk
  }

  /// λ of the sparsity loss λ·(2/L0*)(L0 − L0*)², risen to linearly over `ramp`.
  public struct Sparsity: Equatable, Sendable, Encodable {
    public var coefficient = 1.0
    public var ramp = Stretch.steps(50_000)
  }

  /// Adds coefficient·Σᵢ pᵢ(1 + pᵢ/scale) for the share pᵢ of a batch's tokens on which feature i fires; the coefficient
  /// rises along with λ.
  public struct FrequencyPenalty: Equatable, Sendable, Encodable {
    public var coefficient = 0.0
    public var scale = 0.1
  }

  /// Nested prefixes of the features, each of which reconstructs alone (arXiv 2503.17547).
  public struct Matryoshka: Equatable, Sendable, Encodable {
    /// Ascending; the last is the whole width.
    public var prefixes: [Int]
    /// Of each prefix's reconstruction loss.
    public var weights: [Double]

    public init(prefixes: [Int], weights: [Double]) {
      self.prefixes = prefixes
      self.weights = weights
    }
  }

  /// Dead features reconstruct what the live ones miss (arXiv 2406.04093, appendix A.2).
  public struct AuxK: Equatable, Sendable, Encodable {
    public var coefficient = 1.0 / 32
    /// Dead features used for a token.
    public var features = 256

    public init(coefficient: Double = 1.0 / 32, features: Int = 256) {
      self.coefficient = coefficient
      self.features = features
    }
  }

  /// The shape of the learning rate over the run.
  public struct Schedule: Equatable, Sendable, Encodable {
    public var warmup = Stretch.steps(1000)
    /// Share of the learning rate that the first step has.
    public var warmupFrom = 0.1
    public var decay = Stretch.none
    /// Share of the learning rate that the last step has.
    public var decayTo = 0.0

    private enum CodingKeys: String, CodingKey {
      case warmup, decay
      case warmupFrom = "warmup_from"
      case decayTo = "decay_to"
    }
  }

  public struct Adam: Equatable, Sendable, Encodable {
    public var beta1 = 0.0
    public var beta2 = 0.999
    public var epsilon = 1e-8
  }

  /// Where thresholds start.
  public struct Threshold: Equatable, Sendable, Encodable {
    public enum Start: String, CaseIterable, Sendable, Encodable {
      /// `value` for every feature, in units in which activations have mean square norm 1.
      case constant
      /// The quantile of all pre-activations of the first batch at which the target L0 is met from the start.
      case quantile
    }
    public var start = Start.constant
    public var value = 0.001
    /// Multiplies the learning rate for thresholds.
    public var rate = 1.0
    /// Share of the old value kept at each step by the running threshold of batchtopk and topk.
    public var momentum = 0.99
  }

  /// The loss of the model's predictions with the reconstruction in place: (MSE + αβ·KL)/(1 + β) with α = MSE/KL held
  /// constant (Gemma Scope 2 technical paper, section 2.4).
  public struct EndToEnd: Equatable, Sendable, Encodable {
    /// Not published; see `docs/training.md`.
    public var beta = 1.0
  }

  /// Where the weights start.
  public struct Initialisation: Equatable, Sendable, Encodable {
    public enum Encoder: String, CaseIterable, Sendable, Encodable {
      /// The decoder's transpose.
      case decoder
      /// Directions of its own, drawn evenly from the sphere as the decoder's are.
      case random
    }
    public enum DecoderBias: String, CaseIterable, Sendable, Encodable {
      case zero
      /// The mean of the first batch's targets.
      case mean
    }
    public enum EncoderBias: String, CaseIterable, Sendable, Encodable {
      case zero
      /// Minus what the mean of the first batch's inputs encodes to.
      case centred
    }
    public var encoder: Encoder
    /// Length of the encoder's directions.
    public var scale = 1.0
    public var encoderBias = EncoderBias.zero
    public var decoderBias = DecoderBias.zero

    private enum CodingKeys: String, CodingKey {
      case encoder, scale
      case encoderBias = "encoder_bias"
      case decoderBias = "decoder_bias"
    }
  }

  /// What it is called in output; of a suite, where it stands below the suite's folder.
  public var name: String?
  public var kind = DictionaryKind.sae
  public var reads: [Site]
  public var writes: [Site]
  /// Features of each read.
  public var width: Int
  public var isAffine = false

  public var objective = Objective.jumprelu
  /// The target L0 (summed over reads), or k.
  public var l0 = 60.0
  /// Where the target L0 begins; it falls linearly to `l0` over `l0Decay`.
  public var initialL0: Double?
  public var l0Decay = Stretch.none
  /// ε, the width of the kernel through which thresholds learn.
  public var bandwidth = 0.001
  public var sparsity = Sparsity()
  public var frequency = FrequencyPenalty()
  public var matryoshka: Matryoshka
  public var auxK: AuxK?
  /// Errors at targets longer than so many times the median length weigh as if they were of that length.
  public var normLimit: Double?
  /// A feature is dead when it has not fired on so many tokens.
  public var deadAfter = 1_000_000

  public var learningRate = 7e-5
  /// Multiplies the learning rate for encoder biases.
  public var biasRate = 1.0
  public var schedule = Schedule()
  public var adam = Adam()
  /// Tokens of a step.
  public var batch = 4096
  /// Activations trained on in all, repeats counted.
  public var tokens = 4_000_000_000
  /// How often each activation of a window is used.
  public var repeats = 1

  public var initialisation: Initialisation
  public var threshold = Threshold()
  /// What to go on from, relative to the recipe's folder: a dictionary of the same shape, or for multi-layer kinds one
  /// single-layer dictionary for each read. Empty: random directions.
  public var start: [String] = []
  /// Nil: activations alone are learned from.
  public var endToEnd: EndToEnd?

  public var seed = 0
  /// Tokens of a sequence.
  public var context = 1024
  /// Activations shuffled together.
  public var window = 1 << 18
  /// Activations longer than so many times the median norm are left out; nil keeps all.
  public var normFilter: Double?
}

extension Recipe: Encodable {
  private enum CodingKeys: String, CodingKey {
    case schema, name, kind, reads, writes, width, objective, l0, bandwidth, sparsity, frequency, matryoshka, schedule
    case adam, batch, tokens, repeats, initialisation, threshold, start, seed, context, window
    case isAffine = "affine"
    case initialL0 = "initial_l0"
    case l0Decay = "l0_decay"
    case auxK = "auxk"
    case endToEnd = "end_to_end"
    case learningRate = "learning_rate"
    case biasRate = "bias_rate"
    case deadAfter = "dead_after"
    case normLimit = "norm_limit"
    case normFilter = "norm_filter"
  }

  /// All keys that go with the objective, defaults included: reading it gives an equal recipe.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(1, forKey: .schema)
    try container.encodeIfPresent(name, forKey: .name)
    try container.encode(kind, forKey: .kind)
    try container.encode(reads, forKey: .reads)
    try container.encode(writes, forKey: .writes)
    try container.encode(width, forKey: .width)
    try container.encode(isAffine, forKey: .isAffine)
    try container.encode(objective, forKey: .objective)
    try container.encode(l0, forKey: .l0)
    try container.encodeIfPresent(initialL0, forKey: .initialL0)
    try container.encode(l0Decay, forKey: .l0Decay)
    if objective == .jumprelu {
      try container.encode(bandwidth, forKey: .bandwidth)
      try container.encode(sparsity, forKey: .sparsity)
      try container.encode(frequency, forKey: .frequency)
    }
    try container.encode(matryoshka, forKey: .matryoshka)
    try container.encodeIfPresent(auxK, forKey: .auxK)
    try container.encodeIfPresent(normLimit, forKey: .normLimit)
    try container.encode(learningRate, forKey: .learningRate)
    try container.encode(biasRate, forKey: .biasRate)
    try container.encode(schedule, forKey: .schedule)
    try container.encode(adam, forKey: .adam)
    try container.encode(batch, forKey: .batch)
    try container.encode(tokens, forKey: .tokens)
    try container.encode(repeats, forKey: .repeats)
    try container.encode(deadAfter, forKey: .deadAfter)
    try container.encode(initialisation, forKey: .initialisation)
    try container.encode(threshold, forKey: .threshold)
    if !start.isEmpty { try container.encode(start, forKey: .start) }
    try container.encodeIfPresent(endToEnd, forKey: .endToEnd)
    try container.encode(seed, forKey: .seed)
    try container.encode(context, forKey: .context)
    try container.encode(window, forKey: .window)
    try container.encodeIfPresent(normFilter, forKey: .normFilter)
  }

  static let keys = [
    "schema", "name", "kind", "reads", "writes", "width", "affine", "objective", "l0", "initial_l0", "l0_decay",
    "bandwidth", "sparsity", "frequency", "matryoshka", "auxk", "norm_limit", "learning_rate", "bias_rate",
    "schedule", "adam", "batch", "tokens", "repeats", "dead_after", "initialisation", "threshold", "start",
    "end_to_end", "seed", "context", "window", "norm_filter",
  ]
}

extension Recipe {
  /// Steps of a whole run.
  public var steps: Int { max(1, (tokens + batch - 1) / batch) }

  public var learningRates: LearningRateSchedule {
    LearningRateSchedule(
      peak: learningRate, warmup: schedule.warmup.steps(of: steps), from: schedule.warmupFrom,
      decay: schedule.decay.steps(of: steps), to: schedule.decayTo, total: steps)
  }

  /// λ of every step.
  public var sparsities: LinearRamp {
    LinearRamp(start: 0, end: sparsity.coefficient, steps: sparsity.ramp.steps(of: steps))
  }

  /// The target L0 of every step.
  public var targetL0s: LinearRamp {
    LinearRamp(start: initialL0 ?? l0, end: l0, steps: l0Decay.steps(of: steps))
  }
}
