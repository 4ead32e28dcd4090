import Sites
import Tensors

/// Where the cotangents of a batch enter the backward walk, checked against the recording.
struct CotangentSeeds {
  private let model: GemmaModel
  private let recording: Recording
  private let mode: GradientMode
  /// Cotangents walked together.
  let batch: Int
  /// For each site the batch entries seeded there.
  private var vectors: [Site: [(entry: Int, position: Int, vector: [Float])]] = [:]
  private var logits: [(entry: Int, cotangent: Cotangent)] = []
  /// A gradient that is known at the end of the residual stream already, [1, n, width].
  private var final: Tensor?

  /// One cotangent, given as the gradient at every row of the final residual stream.
  init(model: GemmaModel, recording: Recording, final: Tensor) {
    self.model = model
    self.recording = recording
    self.final = final
    mode = .exact
    batch = 1
  }

  init(model: GemmaModel, recording: Recording, cotangents: [Cotangent], mode: GradientMode) throws {
    self.model = model
    self.recording = recording
    self.mode = mode
    batch = cotangents.count
    let count = recording.tokens.count
    for (entry, cotangent) in cotangents.enumerated() {
      guard 0..<count ~= cotangent.position else {
        throw GemmaError.gradient("cotangent \(entry): position \(cotangent.position) is outside 0..<\(count)")
      }
      switch cotangent.target {
      case .site(let site, let vector):
        try model.shape.validate(site)
        let width = model.shape.width(of: site)
        guard vector.count == width else {
          throw GemmaError.gradient("cotangent \(entry): \(vector.count) numbers at \(site), expected \(width)")
        }
        vectors[site, default: []].append((entry, cotangent.position, vector))
      case .logits(let tokens, let weights):
        guard tokens.count == weights.count else {
          throw GemmaError.gradient("cotangent \(entry): \(tokens.count) tokens but \(weights.count) weights")
        }
        logits.append((entry, cotangent))
      case .allLogits(let weights):
        guard weights.count == model.configuration.vocabularySize else {
          throw GemmaError.gradient(
            "cotangent \(entry): \(weights.count) logit weights, expected \(model.configuration.vocabularySize)")
        }
        logits.append((entry, cotangent))
      }
    }
  }

  /// Sites that are seeded.
  var sites: Dictionary<Site, [(entry: Int, position: Int, vector: [Float])]>.Keys { vectors.keys }

  /// What is seeded at `site`: [batch, n, width], nil for nothing.
  func at(_ site: Site) throws -> Tensor? {
    guard let seeds = vectors[site] else { return nil }
    return try spread(seeds, width: model.shape.width(of: site))
  }

  private func spread(_ seeds: [(entry: Int, position: Int, vector: [Float])], width: Int) throws -> Tensor {
    let rows = recording.tokens.count
    var values = [Float](repeating: 0, count: batch * rows * width)
    for seed in seeds {
      let start = (seed.entry * rows + seed.position) * width
      for i in 0..<width { values[start + i] += seed.vector[i] }
    }
    return try model.backend.tensor(values, shape: [batch, rows, width])
  }

  /// The gradient of the logit cotangents at the final residual stream, through head and final norm; nil for none.
  func finalResidual() throws -> Tensor? {
    if let final { return final }
    guard !logits.isEmpty, let last = recording.streams.last else { return nil }
    let width = model.configuration.width
    let seeds = try logits.map { seed in
      (entry: seed.entry, position: seed.cotangent.position, vector: try headDirection(seed.cotangent.target))
    }
    return try model.backend.rmsNormVJP(
      try spread(seeds, width: width), x: last, gain: model.finalNormGain, epsilon: model.configuration.normEpsilon,
      mode: mode)
  }

  /// Σ weight · row of the head.
  private func headDirection(_ target: Cotangent.Target) throws -> [Float] {
    let backend = model.backend
    switch target {
    case .logits(let tokens, let weights):
      let code = try backend.tensor(weights, shape: [1, weights.count])
      return try backend.matmul(code, try model.unembeddingRows(tokens)).read()
    case .allLogits(let weights):
      return try backend.matmul(try backend.tensor(weights, shape: [1, weights.count]), model.weights.head).read()
    case .site(_, let vector): return vector
    }
  }
}
