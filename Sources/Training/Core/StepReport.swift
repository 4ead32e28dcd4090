/// What one step measured on its batch, before its update. All losses are in normalised units.
public struct StepReport: Sendable, Equatable {
  /// Steps taken so far, this one included (unless it was refused, see `isFinite`).
  public var step: Int
  /// The whole loss.
  public var loss: Double
  /// mean_b ‖x̂ − y‖² with all features.
  public var reconstruction: Double
  /// The same for every prefix, without its weight; the last is `reconstruction`.
  public var prefixLosses: [Double]
  /// Σ ‖x̂ − y‖² / Σ ‖y − ȳ‖², ȳ the mean of this batch.
  public var fvu: Double
  /// Active features per token, over all sources.
  public var l0: Double
  /// λ · mean (2/L0*)(L0 − L0*)².
  public var sparsityLoss: Double
  /// λ_f Σ p (1 + p/p₀).
  public var frequencyLoss: Double
  /// α · mean ‖(y − x̂) − ê‖².
  public var auxLoss: Double
  /// The loss on the reconstruction, where there is one: for end-to-end training KL(p ‖ p̂), nats a token.
  public var kl: Double?
  /// Share of features that have not fired for `deadAfterTokens` tokens.
  public var deadShare: Double
  /// The smallest activation selected by TopK or BatchTopK.
  public var smallestSelected: Double?
  /// (token, feature) pairs touched, those inside the straight-through window included.
  public var pairs: Int
  /// ‖gradient‖ of encoder, decoder and their biases, after the parallel part was projected out.
  public var gradientNorm: Double

  /// Whether the loss is a number. When it is not, nothing was updated.
  public var isFinite: Bool { loss.isFinite }
}
