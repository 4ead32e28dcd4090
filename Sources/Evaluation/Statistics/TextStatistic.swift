/// A figure measured on test texts, with each text's share in its error.
///
/// A text's influence u is how much the figure would move with the text's weight (infinitesimal jackknife; Efron 1982,
/// "The Jackknife, the Bootstrap and Other Resampling Plans", section 6). Figures of the same texts combine by the
/// rules of derivatives, so that a difference of two accuracies, or a ratio of differences, gets the interval of what
/// the texts have in common: SE² = T/(T − 1) · Σ u² over T texts.
public struct TextStatistic: Equatable, Sendable {
  /// nil where it is not defined.
  public let value: Double?
  /// By text.
  let influence: [Int: Double]

  init(_ value: Double?, influence: [Int: Double] = [:]) {
    self.value = value.flatMap { $0.isFinite ? $0 : nil }
    self.influence = influence
  }

  /// Σ a / Σ b over items, each of which belongs to a text.
  init(_ numerators: [Double], per denominators: [Double], texts: [Int]) {
    let (a, b) = (numerators.reduce(0, +), denominators.reduce(0, +))
    guard b != 0 else {
      self.init(nil)
      return
    }
    var influence: [Int: Double] = [:]
    for (i, text) in texts.enumerated() {
      influence[text, default: 0] += (numerators[i] - a / b * denominators[i]) / b
    }
    self.init(a / b, influence: influence)
  }

  /// The figure with its 95 % interval over texts.
  public var estimate: Estimate {
    guard let value else { return Estimate(nil) }
    // In a fixed order, so that the last bits are the same every time.
    let squares = influence.sorted { $0.key < $1.key }.reduce(0) { $0 + $1.value * $1.value }
    let texts = influence.count
    guard texts > 1 else { return Estimate(value) }
    return Estimate(value, error: (squares * Double(texts) / Double(texts - 1)).squareRoot(), groups: texts)
  }

  /// The plain mean of several; undefined where one of them is.
  public static func mean(_ all: [TextStatistic]) -> TextStatistic {
    guard !all.isEmpty else { return TextStatistic(nil) }
    var sum = all[0]
    for other in all.dropFirst() { sum = combine(sum, 1, other, 1) }
    return combine(sum, 1 / Double(all.count), TextStatistic(0), 0)
  }

  public static func - (a: TextStatistic, b: TextStatistic) -> TextStatistic { combine(a, 1, b, -1) }

  /// The ratio; undefined where the denominator is 0.
  public static func / (a: TextStatistic, b: TextStatistic) -> TextStatistic {
    guard let top = a.value, let bottom = b.value, bottom != 0 else { return TextStatistic(nil) }
    let moved = combine(a, 1 / bottom, b, -top / (bottom * bottom))
    return TextStatistic(top / bottom, influence: moved.influence)
  }

  private static func combine(_ a: TextStatistic, _ p: Double, _ b: TextStatistic, _ q: Double) -> TextStatistic {
    guard let first = a.value, let second = b.value else { return TextStatistic(nil) }
    var influence = a.influence.mapValues { $0 * p }
    for (text, u) in b.influence { influence[text, default: 0] += q * u }
    return TextStatistic(first * p + second * q, influence: influence)
  }
}

extension Estimate {
  /// A figure whose error, from `groups` groups, is known.
  init(_ value: Double, error: Double, groups: Int) {
    let half = error * StudentT.quantile975(degrees: groups - 1)
    (self.value, self.groups) = (value, groups)
    (low, high) = (value - half, value + half)
  }
}
