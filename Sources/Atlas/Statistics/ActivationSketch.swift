/// How often activations of each size came, in buckets of the numbers' own making: those that share the exponent and
/// the first five bits behind it, so 32 of equal width to an octave.
///
/// Counts are whole numbers: any order of adding, and any merging of parts, gives the same sketch. A quantile is off
/// by at most 1/64 of itself (for numbers that fp32 holds as normal ones). Compare DDSketch (Masson, Rim & Lee 2019,
/// "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", section 2), whose buckets
/// grow by a factor; here they are found by a shift.
public struct ActivationSketch: Equatable, Sendable {
  /// The number of the first bucket held, a multiple of 32.
  private(set) var first = 0
  /// From `first` on, whole octaves.
  private(set) var counts: [UInt32] = []

  static let perOctave = 32
  private static let shift = 18

  /// An empty sketch.
  public init() {}

  init(first: Int, counts: [UInt32]) {
    guard let low = counts.firstIndex(where: { $0 > 0 }), let high = counts.lastIndex(where: { $0 > 0 }) else { return }
    cover(first + low)
    cover(first + high)
    for index in low...high { self.counts[first + index - self.first] = counts[index] }
  }

  /// The bucket of a positive number.
  static func bucket(_ activation: Float) -> Int { Int(activation.bitPattern >> shift) }

  /// The smallest number of a bucket; for the one behind the last finite bucket the largest finite number.
  static func lowerEdge(_ bucket: Int) -> Float {
    min(Float(bitPattern: UInt32(bucket) << shift), .greatestFiniteMagnitude)
  }

  /// Counts one activation, which is above 0 and finite; others are passed over.
  public mutating func add(_ activation: Float) {
    guard activation > 0, activation.isFinite else { return }
    let bucket = Self.bucket(activation)
    if bucket < first || bucket >= first + counts.count { cover(bucket) }
    counts[bucket - first] += 1
  }

  /// Adds the counts of `other`.
  public mutating func merge(_ other: ActivationSketch) {
    guard !other.counts.isEmpty else { return }
    cover(other.first)
    cover(other.first + other.counts.count - 1)
    for (index, count) in other.counts.enumerated() { counts[other.first + index - first] += count }
  }

  private mutating func cover(_ bucket: Int) {
    let octave = bucket / Self.perOctave * Self.perOctave
    if counts.isEmpty { first = octave }
    if octave < first {
      counts.insert(contentsOf: repeatElement(0, count: first - octave), at: 0)
      first = octave
    }
    let missing = octave + Self.perOctave - first - counts.count
    if missing > 0 { counts.append(contentsOf: repeatElement(0, count: missing)) }
  }

  /// Activations counted.
  public var count: Int { counts.reduce(0) { $0 + Int($1) } }

  /// The middle of the bucket that holds rank ⌈q · count⌉, q from 0 to 1; nil when nothing was counted.
  public func quantile(_ q: Double) -> Float? {
    bucket(atQuantile: q).map(Self.middle)
  }

  /// The middle of a bucket.
  static func middle(of bucket: Int) -> Float {
    Float((Double(lowerEdge(bucket)) + Double(lowerEdge(bucket + 1))) / 2)
  }

  /// The bucket that holds rank ⌈q · count⌉.
  func bucket(atQuantile q: Double) -> Int? {
    let total = count
    guard total > 0 else { return nil }
    let rank = min(max(Int((q * Double(total)).rounded(.up)), 1), total)
    var seen = 0
    for (index, count) in counts.enumerated() {
      seen += Int(count)
      if seen >= rank { return first + index }
    }
    return nil
  }

  /// How many activations were at least `activation`: between the two numbers, which are one where `activation` is the
  /// edge of a bucket.
  public func countAtLeast(_ activation: Float) -> ClosedRange<Int> {
    guard activation > 0 else { return count...count }
    let bucket = Self.bucket(activation)
    var (above, inside) = (0, 0)
    for (index, count) in counts.enumerated() {
      if first + index > bucket { above += Int(count) }
      if first + index == bucket { inside = Int(count) }
    }
    return (Self.lowerEdge(bucket) == activation ? above + inside : above)...(above + inside)
  }

  /// Counts in `range` of buckets.
  func count(in range: Range<Int>) -> Int {
    range.clamped(to: first..<first + counts.count).reduce(0) { $0 + Int(counts[$1 - first]) }
  }

  /// The buckets from the first to the last that counts something; nil when none does.
  var extent: Range<Int>? {
    guard let low = counts.firstIndex(where: { $0 > 0 }), let high = counts.lastIndex(where: { $0 > 0 }) else {
      return nil
    }
    return first + low..<first + high + 1
  }
}

extension ActivationSketch {
  /// Activations from `lower` to below `upper`.
  public struct Bar: Equatable, Sendable {
    /// The smallest number that belongs to it.
    public let lower: Float
    /// The smallest that does not.
    public let upper: Float
    /// How many there were.
    public let count: Int
  }

  /// The counts in four bars to an octave, from the first bar that is not empty to the last.
  public var histogram: [Bar] {
    guard let extent else { return [] }
    let width = Self.perOctave / 4
    return stride(from: extent.lowerBound / width * width, to: extent.upperBound, by: width).map { start in
      Bar(
        lower: Self.lowerEdge(start), upper: Self.lowerEdge(start + width), count: count(in: start..<start + width))
    }
  }
}
