/// What the ranks of a run tell each other during a step, each holding a shard of the features. Every rank makes the
/// same calls in the same order with equal counts.
public protocol StepReducer {
  /// Replaces `values` by the sum over all ranks, in rank order.
  func sum(_ values: UnsafeMutableBufferPointer<Float>) throws
  /// All ranks' values, one after another in rank order.
  func gather(_ values: UnsafeBufferPointer<Float>) throws -> [Float]
}

/// One rank: nothing to tell.
public struct SingleRankReducer: StepReducer {
  public init() {}
  public func sum(_ values: UnsafeMutableBufferPointer<Float>) {}
  public func gather(_ values: UnsafeBufferPointer<Float>) -> [Float] { Array(values) }
}
