public import Collectives
public import Dictionaries

extension TrainingState {
  /// The dictionary that the ranks hold together, as `folded` gives it for one: on the root, nil on all others. All ranks
  /// call it. Bits are those of one rank that holds all features.
  ///
  /// Slices travel one after another, an array at a time, so that no rank but the root ever has more than a slice twice.
  /// - Throws: `TrainingError.setting` for a shape that is not this state's; `CollectivesError`; `DictionaryError.input`.
  public func gathered(
    _ shape: DictionaryShape, modelName: String? = nil, targetL0: Double? = nil, over communicator: any Communicator
  ) throws -> DictionaryParameters? {
    guard communicator.count > 1 else { return try folded(shape, modelName: modelName, targetL0: targetL0) }
    let layers = try foldedLayers().map { try gathered($0, communicator) }
    guard communicator.isRoot else { return nil }
    return try parameters(shape, layers, modelName: modelName, targetL0: targetL0)
  }

  /// One source's features of all ranks; on others than the root, its own.
  private func gathered(_ local: FoldedLayer, _ communicator: any Communicator) throws -> FoldedLayer {
    let (width, inputs, written) = (shape.width, shape.inputWidth, shape.writes * shape.outputWidth)
    var whole = local
    if communicator.isRoot {
      whole.encoder = [Float](repeating: 0, count: inputs * width)
      whole.encoderBias = [Float](repeating: 0, count: width)
      whole.threshold = [Float](repeating: 0, count: width)
      whole.decoder = [Float](repeating: 0, count: width * written)
    }
    for rank in 0..<communicator.count {
      let shard = try FeatureShard(rank: rank, count: communicator.count)
      let count = shard.localCount(width)
      /// Calls `place` on the root with each place in a slice and in the whole, numbers being [outer, features, inner].
      func take(
        _ values: [Float], outer: Int = 1, inner: Int = 1, _ place: (_ to: Int, _ value: Float) -> Void
      ) throws {
        let slice = try communicator.broadcast(values, from: rank)
        guard communicator.isRoot else { return }
        for o in 0..<outer {
          for local in 0..<count {
            let (from, to) = ((o * count + local) * inner, (o * width + shard.feature(local)) * inner)
            for i in 0..<inner { place(to + i, slice[from + i]) }
          }
        }
      }
      try take(local.encoder, outer: inputs) { whole.encoder[$0] = $1 }
      try take(local.encoderBias) { whole.encoderBias[$0] = $1 }
      try take(local.threshold) { whole.threshold[$0] = $1 }
      try take(local.decoder, inner: written) { whole.decoder[$0] = $1 }
    }
    return whole
  }
}
