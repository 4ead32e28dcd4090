/// How an atlas is made. All but `saveEvery` is part of what a build is: going on with other options is refused.
public struct AtlasOptions: Equatable, Sendable {
  /// Tokens to count; special ones do not count. Fewer when the corpus has fewer.
  public var tokens: Int
  /// Tokens of a sequence, `<bos>` included.
  public var context: Int
  /// Sequences that run at once. Activations may differ in their last bits for another number.
  public var batch: Int
  /// Chooses the samples.
  public var seed: UInt64
  /// Top examples of a feature, at most one of a sequence.
  public var examples: Int
  /// Tokens of an example's window before and behind the feature's own.
  public var before, after: Int
  /// Windows kept for tests, of each half of the sequences.
  public var poolWindows: Int
  /// Seconds between two savings of the state.
  public var saveEvery: Double

  /// Options with what suits most atlases.
  public init(
    tokens: Int, context: Int = 256, batch: Int = 8, seed: UInt64 = 0, examples: Int = 16, before: Int = 24,
    after: Int = 8, poolWindows: Int = 512, saveEvery: Double = 120
  ) {
    self.tokens = tokens
    self.context = context
    self.batch = batch
    self.seed = seed
    self.examples = examples
    self.before = before
    self.after = after
    self.poolWindows = poolWindows
    self.saveEvery = saveEvery
  }

  /// - Throws: `AtlasError.option`.
  func validate() throws {
    func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
      guard range ~= value else {
        throw AtlasError.option(
          name: name, reason: "is \(value), expected \(range.lowerBound) to \(range.upperBound)")
      }
    }
    // A count fits 32 bits, and so does a sequence's number.
    try check("tokens", tokens, 1...Int(Int32.max))
    try check("context", context, 2...1 << 20)
    try check("batch", batch, 1...1 << 16)
    try check("examples", examples, 1...1000)
    try check("before", before, 0...127)
    try check("after", after, 0...127)
    try check("pool windows", poolWindows, 0...1 << 20)
    guard 0...Self.longestPause ~= saveEvery else {
      throw AtlasError.option(name: "save every", reason: "is \(saveEvery) seconds, expected 0 to \(Self.longestPause)")
    }
  }

  /// Seconds between savings, at most: some thirty years.
  public static let longestPause = 1e9

  var window: Int { before + 1 + after }
  var tally: FeatureTally.Settings { FeatureTally.Settings(examples: examples, seed: seed) }
}
