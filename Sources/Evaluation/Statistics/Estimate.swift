/// A measured figure with its 95 % interval over groups of tokens: sequences, as tokens of one text are alike.
public struct Estimate: Equatable, Sendable {
  /// Over everything that was measured; nil where that tells nothing (no token, no variance).
  public let value: Double?
  /// Ends of the interval; nil with fewer than two groups.
  public let low, high: Double?
  /// Groups that the interval is told from.
  public let groups: Int

  /// A figure without an interval.
  public init(_ value: Double?) {
    (self.value, low, high, groups) = (value, nil, nil, 0)
  }

  /// The ratio A / B of sums over groups, A = Σ aₛ and B = Σ bₛ.
  ///
  /// Its interval is that of the linearised ratio (Cochran 1977, "Sampling Techniques", section 6.4):
  /// SE² = S/(S − 1) · Σₛ (aₛ − (A/B) bₛ)² / B², and ± SE times the 97.5 % quantile of Student's t with S − 1 degrees of
  /// freedom. A mean over tokens is such a ratio, with the tokens of a group as its b.
  /// - Parameter offset: added to the ratio and to the interval's ends, as the 1 of 1 − FVU is.
  public init(_ numerators: [Double], per denominators: [Double], offset: Double = 0) {
    let (a, b) = (numerators.reduce(0, +), denominators.reduce(0, +))
    groups = denominators.count
    let ratio = a / b
    guard b != 0, ratio.isFinite else {
      (value, low, high) = (nil, nil, nil)
      return
    }
    value = ratio + offset
    guard groups > 1 else {
      (low, high) = (nil, nil)
      return
    }
    let squares = zip(numerators, denominators).reduce(0.0) { sum, pair in
      let residual = pair.0 - ratio * pair.1
      return sum + residual * residual
    }
    let error = (squares * Double(groups) / Double(groups - 1)).squareRoot() / abs(b)
    let half = error * StudentT.quantile975(degrees: groups - 1)
    (low, high) = (ratio + offset - half, ratio + offset + half)
  }
}
