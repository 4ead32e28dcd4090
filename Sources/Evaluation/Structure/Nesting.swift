/// How well the first features of a dictionary do alone, as those of a Matryoshka dictionary are trained to (arXiv
/// 2503.17547). No feature is coded anew: thresholds are a feature's own, so that a prefix's code is a slice of the
/// whole.
public struct Nesting: Equatable, Sendable {
  /// The figures of the first `features` features of each read.
  public struct Prefix: Equatable, Sendable {
    public let features: Int
    /// Mean active features a token, over all reads.
    public let l0: Estimate
    /// Σ‖x − x̂‖² / Σ‖x − x̄‖² over all writes.
    public let fvu: Estimate
    /// γ = Σ‖x̂‖² / Σ x·x̂ (arXiv 2404.16014, equation 10) over all writes.
    public let reconstructionBias: Estimate
    /// Share of these features that are active on no token; nil without tokens.
    public let deadShare: Double?
    /// Share of all active pairs of token and feature that are theirs; no value without any.
    public let activityShare: Estimate
    /// FVU of as many features drawn at random, one for each draw. Where a few features write most of the variance,
    /// draws lie far apart, and a handful of them says little.
    public let randomFVUs: [Estimate]
    /// FVU of the features with the largest energy Σ f² ‖d‖², as many: a guide to what could be had; nil where energies
    /// were not given.
    public let energyFVU: Estimate?
    /// (FVU of random features − FVU) / (FVU of random features − FVU of all features), the former a mean over draws: 0
    /// where the order says nothing, 1 where the rest adds nothing. The interval is over sequences, with these draws.
    /// No value for the whole dictionary, and where random features do as well as all.
    public let nestingGain: Estimate

    /// Mean of `randomFVUs`; nil without any.
    public var randomFVU: Double? { RowAgreement.mean(randomFVUs.compactMap(\.value)) }
  }

  /// Tokens counted.
  public let tokens: Int
  /// Sequences they come from.
  public let sequences: Int
  /// Ascending; the whole dictionary is the last.
  public let prefixes: [Prefix]
}
