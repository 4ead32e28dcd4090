/// How much of an atlas is packed. Whatever is left out is missing from the expanded atlas.
public struct PackedOptions: Equatable, Sendable {
  /// Top examples of a feature, and examples of each interval.
  public var top, perInterval: Int
  /// Tokens of the logit tables, raised and lowered each.
  public var logits: Int
  /// Co-active features of a feature.
  public var coactive: Int
  /// Windows of the pool of each half.
  public var pool: Int
  /// Buckets of a sketch to an octave: 32 for all, or 1, 2, 4, 8, 16. Counts of buckets are then known for several
  /// together; quantiles and intervals stay what they are.
  public var bars: Int
  /// Whether labels are packed with their scores.
  public var labels: Bool

  /// Options; all that there is by default.
  public init(
    top: Int = 1000, perInterval: Int = 1000, logits: Int = 255, coactive: Int = 255, pool: Int = 1 << 20,
    bars: Int = 32, labels: Bool = true
  ) {
    self.top = top
    self.perInterval = perInterval
    self.logits = logits
    self.coactive = coactive
    self.pool = pool
    self.bars = bars
    self.labels = labels
  }

  /// - Throws: `AtlasError.option`.
  func validate() throws {
    guard [1, 2, 4, 8, 16, 32].contains(bars) else {
      throw AtlasError.option(name: "buckets to an octave", reason: "are \(bars), expected 1, 2, 4, 8, 16 or 32")
    }
    for (name, value, range) in [
      ("top examples", top, 1...1000), ("examples of an interval", perInterval, 0...1000), ("logits", logits, 0...255),
      ("co-active", coactive, 0...255), ("pool windows", pool, 0...1 << 20),
    ] where !range.contains(value) {
      throw AtlasError.option(name: name, reason: "is \(value), expected \(range.lowerBound) to \(range.upperBound)")
    }
  }
}
