public import Collectives

/// Ranks that train one dictionary together, each holding every R-th feature: their sums and selections over a
/// communicator.
///
/// What is exchanged in a step, per rank: the reconstruction of every Matryoshka group ([groups, batch, columns] fp32, summed
/// in rank order), each token's L0, and for BatchTopK the two histograms of bits that find the batch's k · batch largest
/// activations exactly (`RadixSelect`), for TopK k candidates a token. No weight or gradient of a feature ever travels.
public struct RankReducer: StepReducer {
  private let communicator: any Communicator

  public init(_ communicator: any Communicator) { self.communicator = communicator }

  public func sum(_ values: UnsafeMutableBufferPointer<Float>) throws { try communicator.allReduceSum(values) }

  public func gather(_ values: UnsafeBufferPointer<Float>) throws -> [Float] {
    let ranks = communicator.count
    return try [Float](unsafeUninitializedCapacity: values.count * ranks) { all, filled in
      try communicator.allGather(
        UnsafeRawBufferPointer(values),
        into: UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: all[..<(values.count * ranks)])),
        counts: Array(repeating: values.count * MemoryLayout<Float>.stride, count: ranks))
      filled = values.count * ranks
    }
  }
}

extension Communicator {
  /// The reducer for this many ranks, and the features that this rank holds.
  /// - Throws: nothing in practice; `TrainingError.setting` for a communicator whose rank is not below its count.
  public func featureShard() throws -> (shard: FeatureShard, reducer: any StepReducer) {
    guard count > 1 else { return (.whole, SingleRankReducer()) }
    return (try FeatureShard(rank: rank, count: count), RankReducer(self))
  }
}
