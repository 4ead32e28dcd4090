/// The features that a dictionary has for a letter: more than one where it split the letter.
public struct SplitFeatures: Sendable, Equatable {
  /// Features by how much they speak for the letter, the most first: at most ten.
  public let candidates: [Int]
  /// The test F1 of the probe that reads the first k of them, k = 1, 2, …; nil where it cannot be told.
  public let f1: [Double?]

  public init(candidates: [Int], f1: [Double?]) {
    (self.candidates, self.f1) = (candidates, f1)
  }

  /// The letter's own features.
  public var features: [Int] { Array(candidates.prefix(Self.count(f1))) }

  /// How many features belong to the letter: the first, and as many more as each raise F1 by more than 0.03 over what
  /// the last one kept gave (SAEBench 0.6.0, `k_sparse_probing.py`, `add_feature_splits_to_metrics_df`).
  public static func count(_ f1: [Double?]) -> Int {
    var kept = 0
    var best = -Double.infinity
    for value in f1 {
      // The first is kept whatever it is worth.
      guard kept == 0 || (value ?? 0) > best + FirstLetterConstants.leastF1Jump else { break }
      kept += 1
      best = value ?? 0
    }
    return kept
  }
}
