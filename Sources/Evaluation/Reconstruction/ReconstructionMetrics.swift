public import Sites

/// How well activations are reconstructed, over the tokens that count. `docs/metrics.md` defines each figure; x is the
/// activation, x̂ the reconstruction, sums run over tokens.
public struct ReconstructionMetrics: Equatable, Sendable {
  /// The figures of one set of sums.
  public struct Figures: Equatable, Sendable {
    /// Σ‖x − x̂‖² / n: squared error a token, summed over coordinates.
    public let mse: Estimate
    /// Σ‖x − x̂‖² / Σ‖x − x̄‖², x̄ being the mean over all tokens.
    public let fvu: Estimate
    /// 1 − FVU.
    public let explainedVariance: Estimate
    /// Mean cos(x, x̂), over tokens where neither is 0.
    public let cosine: Estimate
    /// γ = Σ‖x̂‖² / Σ x·x̂ (arXiv 2404.16014, equation 10); below 1 reconstructions are too short.
    public let reconstructionBias: Estimate
    /// Mean ‖x̂‖ / ‖x‖, over tokens where neither is 0.
    public let normRatio: Estimate
  }

  /// The figures of one bucket of positions, over all written sites; intervals are over the sequences that reach it.
  public struct Position: Equatable, Sendable {
    /// Positions in their sequences.
    public let positions: Range<Int>
    public let tokens: Int
    public let l0: Estimate
    /// The variance is about the mean over tokens of all positions.
    public let figures: Figures
  }

  /// Tokens counted.
  public let tokens: Int
  /// Sequences they come from.
  public let sequences: Int
  /// Mean active features a token, over all reads.
  public let l0: Estimate
  /// The same for each read.
  public let l0ByRead: [Estimate]
  /// Over all written sites: of their sums where a figure is a ratio of sums, of means over sites otherwise.
  public let total: Figures
  /// For each written site.
  public let sites: [(site: Site, figures: Figures)]
  /// By position; buckets without tokens are left out.
  public let positions: [Position]

  public static func == (a: ReconstructionMetrics, b: ReconstructionMetrics) -> Bool {
    a.tokens == b.tokens && a.sequences == b.sequences && a.l0 == b.l0 && a.l0ByRead == b.l0ByRead
      && a.total == b.total && a.positions == b.positions && a.sites.map(\.site) == b.sites.map(\.site)
      && a.sites.map(\.figures) == b.sites.map(\.figures)
  }
}
