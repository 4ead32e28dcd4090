/// How far other features stand in for a letter's own at one word.
///
/// SAEBench 0.6.0, `feature_absorption_calculator.py`; Chanin et al. 2024 (arXiv 2409.14507), section 4. There sⱼ is fⱼ
/// times the *cosine* of p and dⱼ; the product with dⱼ itself is used here, which is the same for decoder rows of
/// length 1.
public struct WordAbsorption: Sendable, Equatable {
  /// A feature that is active at the word.
  public struct Active: Sendable, Equatable {
    public let feature: Int
    /// fⱼ, above 0.
    public let activation: Double
    /// Of the letter's direction p and the decoder row dⱼ.
    public let cosine: Double
    /// sⱼ = fⱼ p·dⱼ: what the feature adds to the word's projection.
    public let contribution: Double

    public init(feature: Int, activation: Double, cosine: Double, contribution: Double) {
      (self.feature, self.activation, self.cosine, self.contribution) = (feature, activation, cosine, contribution)
    }
  }

  /// How much of the letter's projection that its features M leave over is made by at most three others A: 0 where they
  /// make less than 0.4 of it all, 1 where the letter's own make nothing, else t / (t + M) with t = min(A, a − M).
  public let fraction: Double
  /// Whether all the letter's features are silent while one other makes at least 0.4 of the projection.
  public let isFull: Bool

  public init(fraction: Double, isFull: Bool) {
    (self.fraction, self.isFull) = (fraction, isFull)
  }

  /// - Parameters:
  ///   - projection: a, of the word's activation on p: x·p as published, or (x − x̄)·p.
  ///   - own: the letter's features.
  public static func measure(projection a: Double, active: [Active], own: Set<Int>) -> WordAbsorption {
    WordAbsorption(fraction: fraction(a, active, own), isFull: isFull(a, active, own))
  }

  private static func fraction(_ a: Double, _ active: [Active], _ own: Set<Int>) -> Double {
    let main = active.reduce(0) { $0 + (own.contains($1.feature) ? $1.contribution : 0) }
    let others = active.filter {
      !own.contains($0.feature) && $0.cosine >= FirstLetterConstants.leastFractionCosine && $0.contribution > 0
    }
    let absorbing = others.map(\.contribution).sorted(by: >).prefix(FirstLetterConstants.mostAbsorbers).reduce(0, +)
    // The published code divides by a; no word absorbs where the probe finds nothing.
    guard a != 0, main < a, absorbing / a >= FirstLetterConstants.leastShare else { return 0 }
    guard main > 0 else { return 1 }
    let part = min(absorbing, a - main)
    return min(max(part / (part + main), 0), 1)
  }

  private static func isFull(_ a: Double, _ active: [Active], _ own: Set<Int>) -> Bool {
    let isSilent = active.allSatisfy { !own.contains($0.feature) || $0.activation < FirstLetterConstants.silence }
    // Where no active feature adds to the projection the largest contribution is a silent one's, 0: no share of it.
    guard isSilent, a > 0, let top = active.max(by: { $0.contribution < $1.contribution }) else { return false }
    return top.cosine >= FirstLetterConstants.leastFullCosine
      && top.contribution / a >= FirstLetterConstants.leastShare
  }
}
