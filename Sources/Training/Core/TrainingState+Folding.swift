public import Dictionaries

extension TrainingState {
  /// The dictionary in the units of the activations it was trained on, ready to be written; formulas at
  /// `foldedLayers`. TopK and BatchTopK dictionaries become JumpReLU ones with their running threshold.
  /// - Parameter shape: the sites that belong to the sources and writes.
  /// - Throws: `TrainingError.setting` on one rank of several, or for a shape that is not this state's;
  ///   `DictionaryError.input`.
  public func folded(_ shape: DictionaryShape, modelName: String? = nil, targetL0: Double? = nil) throws
    -> DictionaryParameters
  {
    guard self.shape.shard == .whole else {
      throw TrainingError.setting(name: "ranks", expected: "all features on one", found: "\(self.shape.shard.count)")
    }
    return try parameters(shape, foldedLayers(), modelName: modelName, targetL0: targetL0)
  }

  /// `layers` of all features as a dictionary.
  func parameters(
    _ shape: DictionaryShape, _ layers: [FoldedLayer], modelName: String?, targetL0: Double?
  ) throws -> DictionaryParameters {
    try require(shape)
    return try DictionaryParameters(
      shape: shape,
      layers: layers.map {
        DictionaryParameters.Layer(
          encoder: $0.encoder, encoderBias: $0.encoderBias, threshold: $0.threshold, decoder: $0.decoder,
          decoderBias: $0.decoderBias, skip: $0.skip)
      }, modelName: modelName, targetL0: targetL0)
  }

  /// Takes up a dictionary in raw units, as fine-tuning does; see `folded`. Optimiser state starts anew.
  /// - Throws: `TrainingError.setting` for a shape that is not this state's.
  public func unfold(_ parameters: DictionaryParameters) throws {
    try require(parameters.shape)
    try unfold(
      parameters.layers.map {
        FoldedLayer(
          encoder: $0.encoder, encoderBias: $0.encoderBias, threshold: $0.threshold, decoder: $0.decoder,
          decoderBias: $0.decoderBias, skip: $0.skip)
      })
  }

  private func require(_ other: DictionaryShape) throws {
    guard try TrainingShape(other, shard: shape.shard) == shape else {
      throw TrainingError.setting(name: "dictionary", expected: "the shape in training", found: "\(other)")
    }
  }
}
