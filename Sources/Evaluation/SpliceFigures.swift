public import Sites

/// What putting reconstructions in the place of activations costs, with what two baselines at the same sites cost.
public struct SpliceFigures: Equatable, Sendable {
  /// One bucket of positions of the tokens that predict; intervals are over the sequences that reach it.
  public struct Position: Equatable, Sendable {
    public let positions: Range<Int>
    public let predictions: Int
    /// Mean rise of the loss, nats a token.
    public let deltaLoss: Estimate
    /// Mean KL(p of the unchanged model ‖ p), nats a token.
    public let divergence: Estimate
  }

  /// Sites that were replaced, all at once.
  public let sites: [Site]
  /// Mean cross-entropy with reconstructions in place, nats a token.
  public let loss: Estimate
  /// The same with each site's mean activation in place, and with zero.
  public let meanAblatedLoss, zeroAblatedLoss: Estimate
  /// `loss` less the unchanged model's.
  public let deltaLoss: Estimate
  /// Mean KL(p of the unchanged model ‖ p), nats a token.
  public let divergence: Estimate
  /// Against the mean first, then zero.
  public let recovered: [LossRecovered]
  public let positions: [Position]

  init(_ sites: [Site], clean: Losses, spliced: Losses, mean: Losses, zero: Losses) {
    self.sites = sites
    loss = spliced.crossEntropy
    meanAblatedLoss = mean.crossEntropy
    zeroAblatedLoss = zero.crossEntropy
    deltaLoss = spliced.delta(from: clean)
    divergence = spliced.divergence
    recovered = [
      LossRecovered(.mean, clean: clean, spliced: spliced, ablated: mean),
      LossRecovered(.zero, clean: clean, spliced: spliced, ablated: zero),
    ]
    positions = (0..<spliced.bucketCount).compactMap { bucket in
      let part = spliced.inBucket(bucket)
      let predictions = part.sequences.reduce(0) { $0 + $1.predictions }
      guard predictions > 0 else { return nil }
      return Position(
        positions: PositionBuckets.positions(of: bucket), predictions: predictions,
        deltaLoss: part.delta(from: clean.inBucket(bucket)), divergence: part.divergence)
    }
  }
}
