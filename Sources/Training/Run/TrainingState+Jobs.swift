import Collectives
import Dictionaries
import Tensors

extension TrainingState {
  /// A state of zeros for a job, or for the features of one that this rank holds.
  convenience init(_ job: TrainingJob, normalisation: Normalisation, shard: FeatureShard, backend: any Backend) throws {
    let recipe = job.recipe
    try self.init(
      shape: TrainingShape(job.shape, shard: shard), objective: recipe.trainingObjective, normalisation: normalisation,
      adam: AdamSettings(
        beta1: Float(recipe.adam.beta1), beta2: Float(recipe.adam.beta2), epsilon: Float(recipe.adam.epsilon)),
      backend: backend)
  }

  /// A state as it is before the first step: scales measured on the whole first window, weights from the seed or from
  /// the dictionary that the job goes on from, bias and thresholds from the window's first rows. All ranks call it.
  convenience init(
    beginning job: TrainingJob, on window: WindowRows, inputs: [Int], targets: [Int], backend: any Backend,
    communicator: any Communicator
  ) throws {
    let (shard, reducer) = try communicator.featureShard()
    let recipe = job.recipe
    func rows(_ indices: [Int], _ count: Int) throws -> [Tensor] {
      try indices.map { try window.rows(0..<min(count, window.count), of: $0, pass: 0, backend: backend) }
    }
    let scales = try Normalisation(
      measuring: rows(inputs, window.count), targets: rows(job.shape.kind == .sae ? inputs : targets, window.count),
      limit: recipe.normLimit.map(Float.init))
    try self.init(job, normalisation: scales, shard: shard, backend: backend)
    if let start = job.start {
      try unfold(start)
      return
    }
    try initialise(
      .init(
        seed: UInt64(recipe.seed), encoder: recipe.initialisation.encoder == .decoder ? .decoder : .independent,
        threshold: Float(recipe.threshold.value), encoderScale: Float(recipe.initialisation.scale)))
    let first = TrainingBatch(inputs: try rows(inputs, recipe.batch), targets: try rows(targets, recipe.batch))
    if recipe.initialisation.decoderBias == .mean { try initialiseDecoderBias(first) }
    if recipe.initialisation.encoderBias == .centred { try initialiseEncoderBias(first) }
    if recipe.threshold.start == .quantile, recipe.objective == .jumprelu {
      try calibrateThresholds(first, targetL0: Float(recipe.initialL0 ?? recipe.l0), reducer: reducer)
    }
  }
}

extension Recipe {
  /// The losses as the core takes them.
  var trainingObjective: TrainingObjective {
    let activation: TrainingObjective.Activation =
      switch objective {
      case .jumprelu: .jumpReLU
      case .batchtopk: .batchTopK
      case .topk: .topK
      }
    return TrainingObjective(
      activation: activation,
      prefixes: zip(matryoshka.prefixes, matryoshka.weights).map { .init(size: $0, weight: Float($1)) },
      frequencyScale: Float(frequency.scale),
      auxK: auxK.map { .init(k: $0.features, coefficient: Float($0.coefficient), deadAfterTokens: deadAfter) },
      normLimit: normLimit.map(Float.init), thresholdMomentum: Float(threshold.momentum), deadAfterTokens: deadAfter)
  }
}
