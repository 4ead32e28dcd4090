import Dictionaries
public import Foundation
import Sites

extension Recipe {
  /// Reads a recipe.
  /// - Throws: `RecipeError` naming the file, the key and what was expected there.
  public init(contentsOf url: URL) throws {
    try self.init(RecipeObject(contentsOf: url))
  }

  /// What `tokens` may be.
  public static let tokenRange = 1...1_000_000_000_000_000

  /// Reads the JSON text `json`; `file` names it in errors.
  public init(json: [UInt8], file: String) throws {
    try self.init(RecipeObject(json: json, file: file))
  }

  init(_ object: RecipeObject) throws {
    try object.only(Recipe.keys)
    guard let schema = try object.integer("schema", in: 1...Int(Int32.max)) else {
      throw object.failure("schema", "is missing; expected 1")
    }
    guard schema == 1 else { throw object.failure("schema", "is \(schema); this version reads schema 1") }
    kind = try object.choice("kind", of: DictionaryKind.self) ?? .sae
    (reads, writes) = try Self.sites(object, kind)
    guard let width = try object.integer("width", in: 1...(1 << 26)) else {
      throw object.failure("width", "is missing; expected the number of features of each layer read")
    }
    self.width = width
    matryoshka = try Self.matryoshka(object, width: width)
    initialisation = Initialisation(
      encoder: kind == .transcoder || kind == .clt ? .random : .decoder)
    name = try object.string("name")
    isAffine = try object.bool("affine") ?? false
    objective = try object.choice("objective", of: Objective.self) ?? .jumprelu
    l0 = try object.number("l0", in: 0...1e6, isAbove: true) ?? l0
    initialL0 = try object.number("initial_l0", in: 0...1e6, isAbove: true)
    l0Decay = try Self.stretch(object, "l0_decay") ?? l0Decay
    bandwidth = try object.number("bandwidth", in: 0...1, isAbove: true) ?? bandwidth
    try readLosses(object)
    try readOptimiser(object)
    try readStart(object)
    seed = try object.integer("seed", in: 0...(1 << 53)) ?? seed
    context = try object.integer("context", in: 2...131_072) ?? context
    window = try object.integer("window", in: 1...(1 << 30)) ?? window
    normFilter = try object.number("norm_filter", in: 1...1e6, isAbove: true)
    try validate(object)
  }

  private mutating func readLosses(_ object: RecipeObject) throws {
    if let part = try object.object("sparsity", keys: ["coefficient", "ramp"]) {
      sparsity.coefficient = try part.number("coefficient", in: 0...1e6) ?? sparsity.coefficient
      sparsity.ramp = try Self.stretch(part, "ramp") ?? sparsity.ramp
    }
    if let part = try object.object("frequency", keys: ["coefficient", "scale"]) {
      frequency.coefficient = try part.number("coefficient", in: 0...1e6) ?? frequency.coefficient
      frequency.scale = try part.number("scale", in: 0...1, isAbove: true) ?? frequency.scale
    }
    if let part = try object.object("auxk", keys: ["coefficient", "features"]) {
      var auxK = AuxK()
      auxK.coefficient = try part.number("coefficient", in: 0...1e6) ?? auxK.coefficient
      auxK.features = try part.integer("features", in: 1...(1 << 20)) ?? auxK.features
      self.auxK = auxK
    }
    normLimit = try object.number("norm_limit", in: 1...1e6)
  }

  private mutating func readOptimiser(_ object: RecipeObject) throws {
    learningRate = try object.number("learning_rate", in: 0...1, isAbove: true) ?? learningRate
    biasRate = try object.number("bias_rate", in: 0...1000) ?? biasRate
    if let part = try object.object("schedule", keys: ["warmup", "warmup_from", "decay", "decay_to"]) {
      schedule.warmup = try Self.stretch(part, "warmup") ?? schedule.warmup
      schedule.warmupFrom = try part.number("warmup_from", in: 0...1) ?? schedule.warmupFrom
      schedule.decay = try Self.stretch(part, "decay") ?? schedule.decay
      schedule.decayTo = try part.number("decay_to", in: 0...1) ?? schedule.decayTo
    }
    if let part = try object.object("adam", keys: ["beta1", "beta2", "epsilon"]) {
      adam.beta1 = try part.number("beta1", in: 0...0.9999) ?? adam.beta1
      adam.beta2 = try part.number("beta2", in: 0...0.999999) ?? adam.beta2
      adam.epsilon = try part.number("epsilon", in: 0...1, isAbove: true) ?? adam.epsilon
    }
    batch = try object.integer("batch", in: 1...(1 << 22)) ?? batch
    tokens = try object.integer("tokens", in: Self.tokenRange) ?? tokens
    repeats = try object.integer("repeats", in: 1...1000) ?? repeats
    deadAfter = try object.integer("dead_after", in: 1...1_000_000_000_000) ?? deadAfter
  }

  private mutating func readStart(_ object: RecipeObject) throws {
    if let part = try object.object("initialisation", keys: ["encoder", "scale", "encoder_bias", "decoder_bias"]) {
      initialisation.encoder = try part.choice("encoder", of: Initialisation.Encoder.self) ?? initialisation.encoder
      initialisation.encoderBias =
        try part.choice("encoder_bias", of: Initialisation.EncoderBias.self) ?? initialisation.encoderBias
      initialisation.decoderBias =
        try part.choice("decoder_bias", of: Initialisation.DecoderBias.self) ?? initialisation.decoderBias
      initialisation.scale = try part.number("scale", in: 0...1000, isAbove: true) ?? initialisation.scale
    }
    if let part = try object.object("threshold", keys: ["start", "value", "rate", "momentum"]) {
      threshold.start = try part.choice("start", of: Threshold.Start.self) ?? threshold.start
      threshold.value = try part.number("value", in: 0...1000, isAbove: true) ?? threshold.value
      threshold.rate = try part.number("rate", in: 0...1000) ?? threshold.rate
      threshold.momentum = try part.number("momentum", in: 0...0.99999) ?? threshold.momentum
    }
    if let paths = try object.strings("start") {
      guard paths.allSatisfy({ !$0.isEmpty && !$0.contains("\0") }) else {
        throw object.failure("start", "holds what is no path")
      }
      guard paths.count == 1 || paths.count == reads.count else {
        throw object.failure(
          "start", "are \(paths.count) paths; expected one dictionary, or \(reads.count), one for each site read")
      }
      start = paths
    }
    if let part = try object.object("end_to_end", keys: ["beta"]) {
      var endToEnd = EndToEnd()
      endToEnd.beta = try part.number("beta", in: 0...1e6, isAbove: true) ?? endToEnd.beta
      self.endToEnd = endToEnd
    }
  }

  static func stretch(_ object: RecipeObject, _ key: String) throws -> Stretch? {
    guard let part = try object.object(key, keys: ["steps", "share"]) else { return nil }
    let steps = try part.integer("steps", in: 0...1_000_000_000_000)
    let share = try part.number("share", in: 0...1)
    switch (steps, share) {
    case (let steps?, nil): return .steps(steps)
    case (nil, let share?): return .share(share)
    default: throw object.failure(key, "expected either {\"steps\": n} or {\"share\": 0 to 1}")
    }
  }

  private static func matryoshka(_ object: RecipeObject, width: Int) throws -> Matryoshka {
    guard let part = try object.object("matryoshka", keys: ["prefixes", "weights"]) else {
      return Matryoshka(prefixes: [width], weights: [1])
    }
    var prefixes = try part.integers("prefixes", in: 1...width) ?? [width]
    if prefixes.last != width { prefixes.append(width) }
    guard zip(prefixes, prefixes.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw part.failure("prefixes", "are \(prefixes); expected ascending numbers of features")
    }
    guard prefixes.count <= 16 else { throw part.failure("prefixes", "are \(prefixes.count); expected at most 16") }
    let equal = [Double](repeating: 1 / Double(prefixes.count), count: prefixes.count)
    let weights = try part.numbers("weights", in: 0...1e6) ?? equal
    guard weights.count == prefixes.count, weights.contains(where: { $0 > 0 }) else {
      throw part.failure(
        "weights",
        "are \(weights); expected \(prefixes.count) numbers, one for each prefix (the whole width is the last), "
          + "not all zero")
    }
    return Matryoshka(prefixes: prefixes, weights: weights)
  }
}
