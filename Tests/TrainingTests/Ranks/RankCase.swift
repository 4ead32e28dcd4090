import Collectives
import Dictionaries
import Tensors
import TestSupport
import Training

/// A small dictionary to be trained by one rank and by several from the same start.
struct RankCase: Sendable, CustomStringConvertible {
  let kind: DictionaryKind
  let activation: TrainingObjective.Activation
  var isAffine = false
  var hasAux = false

  static let all: [RankCase] =
    DictionaryKind.allCases.flatMap { kind in
      [TrainingObjective.Activation.jumpReLU, .topK, .batchTopK].map { RankCase(kind: kind, activation: $0) }
    } + [
      RankCase(kind: .transcoder, activation: .jumpReLU, isAffine: true),
      RankCase(kind: .clt, activation: .batchTopK, isAffine: true),
      RankCase(kind: .sae, activation: .topK, hasAux: true), RankCase(kind: .sae, activation: .batchTopK, hasAux: true),
      RankCase(kind: .crosscoder, activation: .jumpReLU, hasAux: true),
    ]

  var description: String {
    "\(kind) \(activation)\(isAffine ? " affine" : "")\(hasAux ? " aux" : "")"
  }

  /// Prime, so that ranks hold unequal numbers of features.
  static let width = 67
  static let tokens = 96
  private static let inputs = 24

  func shape(_ shard: FeatureShard) throws -> TrainingShape {
    try TrainingShape(
      kind: kind, sources: kind.isMultiLayer ? 3 : 1, width: Self.width, inputWidth: Self.inputs,
      outputWidth: Self.inputs, isAffine: isAffine, shard: shard)
  }

  var objective: TrainingObjective {
    TrainingObjective(
      activation: activation,
      prefixes: [.init(size: 11, weight: 0.5), .init(size: 32, weight: 0.25), .init(size: Self.width, weight: 1)],
      auxK: hasAux ? .init(k: 6, coefficient: 0.25, deadAfterTokens: Self.tokens) : nil, deadAfterTokens: Self.tokens)
  }

  var settings: StepSettings {
    StepSettings(
      learningRate: 3e-4, sparsity: 0.3, targetL0: 7, frequency: 0.02, bandwidth: 0.05, k: hasAux ? 2 : 7)
  }

  /// The same on every rank.
  func batch(_ step: Int) throws -> TrainingBatch {
    var random = SeededRandom(seed: UInt64(step) &+ 77)
    func tensor() throws -> Tensor {
      // Few directions carry most of the length, so that features die and AuxK has something to do.
      let values = random.floats(Self.tokens * Self.inputs).enumerated().map { place, value in
        hasAux ? value * 8 / Float(1 + place % Self.inputs) : value
      }
      return try Tensor(values, shape: [Self.tokens, Self.inputs])
    }
    let count = kind.isMultiLayer ? 3 : 1
    let inputs = try (0..<count).map { _ in try tensor() }
    let isAutoencoder = kind == .sae || kind == .crosscoder
    return TrainingBatch(inputs: inputs, targets: isAutoencoder ? inputs : try (0..<count).map { _ in try tensor() })
  }

  func state(_ communicator: any Communicator) throws -> (state: TrainingState, reducer: any StepReducer) {
    let (shard, reducer) = try communicator.featureShard()
    let shape = try shape(shard)
    let state = try TrainingState(
      shape: shape, objective: objective,
      normalisation: .init(
        inputs: Array(repeating: 2.8, count: shape.sources), targets: Array(repeating: 2.8, count: shape.writes)),
      backend: NativeBackend(isa: nil, threads: 1))
    return (state, reducer)
  }

  func initialised(_ communicator: any Communicator) throws -> (state: TrainingState, reducer: any StepReducer) {
    let (state, reducer) = try state(communicator)
    let first = try batch(0)
    try state.initialise(Initialisation(seed: 5, encoder: .independent))
    try state.initialiseDecoderBias(first)
    if activation == .jumpReLU { try state.calibrateThresholds(first, targetL0: 9, reducer: reducer) }
    return (state, reducer)
  }
}

/// How far two states are apart: for each tensor the length of the difference over the length.
func distances(_ a: TrainingState, _ b: TrainingState) throws -> [String: Double] {
  let (a, b) = (try a.tensors(), try b.tensors())
  var all: [String: Double] = [:]
  for (name, tensor) in a where tensor.dtype == .f32 && name != "thresholds" {
    let (x, y) = (try tensor.read(), try b[name]?.read() ?? [])
    guard x.count == y.count else { return [name: .infinity] }
    let difference = zip(x, y).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    let length = x.reduce(0.0) { $0 + Double($1) * Double($1) }
    all[name] = length > 0 ? (difference / length).squareRoot() : difference.squareRoot()
  }
  return all
}
