/// How the probes of the first-letter task are trained.
public struct FirstLetterSettings: Sendable, Equatable {
  /// What becomes of activations, and by the same factor of features, before probes read them.
  public var scaling: LetterProbes.Scaling
  /// Of the dense probes.
  public var dense: MultiProbe.Options
  /// Whether batches of the L1 probe are smaller with fewer words, so that it takes the published number of steps;
  /// otherwise they have the published size, and fewer words are fewer steps.
  public var keepsSteps: Bool

  public init(scaling: LetterProbes.Scaling, dense: MultiProbe.Options, keepsSteps: Bool) {
    self.scaling = scaling
    self.dense = dense
    self.keepsSteps = keepsSteps
  }

  /// For a few hundred words of each letter: fifty epochs of them are too few steps for Adam, and at Gemma's norms most of
  /// an activation is its mean. So activations are centred and read four times as often.
  public static let usual: FirstLetterSettings = {
    var dense = FirstLetterConstants.denseProbe
    dense.epochs *= 4
    return FirstLetterSettings(scaling: .centred, dense: dense, keepsSteps: true)
  }()

  /// SAEBench 0.6.0's (`probing.py` and `k_sparse_probing.py` of its absorption evaluation): activations as they are.
  public static let published = FirstLetterSettings(
    scaling: .none, dense: FirstLetterConstants.denseProbe, keepsSteps: false)

  /// Of the L1 probe whose weights choose a letter's features.
  /// - Parameter words: that it is trained on.
  public func sparse(words: Int) -> MultiProbe.Options {
    keepsSteps ? SparseLetterProbes.options(words: words) : FirstLetterConstants.sparseProbe
  }
}
