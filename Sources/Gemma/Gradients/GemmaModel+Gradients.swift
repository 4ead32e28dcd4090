public import Sites
public import Tensors

extension GemmaModel {
  /// Vector–Jacobian products from a batch of cotangents back to the activations at `sources`.
  ///
  /// The gradient at a site is that of everything computed from it: at `mlp_out.3` of the residual stream it is added
  /// to, at `attn_out.3` through the output projection and its norm, at `mlp_in.3` through the MLP alone. Nothing is
  /// computed past the earliest source.
  /// - Parameters:
  ///   - mode: `.exact`, or `.frozen` with attention patterns and every norm's denominator held constant.
  ///   - mlp: `.blocked` stops gradients at MLP outputs (those at `mlp_in` are then zero, except a cotangent there).
  /// - Returns: for each source [cotangents, tokens, width of the site]; zero where nothing flows.
  /// - Throws: `GemmaError.gradient` for a cotangent outside the recording or of the wrong length, `SiteError`,
  ///   `TensorError`, and what `check` throws.
  public func gradients(
    of cotangents: [Cotangent], in recording: Recording, at sources: Set<Site>, mode: GradientMode = .exact,
    mlp: MLPGradient = .through, check: CancellationCheck = {}
  ) throws -> [Site: Tensor] {
    for site in sources { try shape.validate(site) }
    let seeds = try CotangentSeeds(model: self, recording: recording, cotangents: cotangents, mode: mode)
    var walk = BackwardWalk(model: self, recording: recording, seeds: seeds, sources: sources, mode: mode, mlp: mlp)
    return try walk.run(check: check)
  }

  /// The exact gradient at `site` of a number whose gradient by the final residual stream is `gradient`, [tokens, width].
  /// - Returns: [tokens, width of the site].
  /// - Throws: as above.
  public func gradient(
    throughFinalResidual gradient: Tensor, in recording: Recording, at site: Site, check: CancellationCheck = {}
  ) throws -> Tensor {
    try shape.validate(site)
    let shape = [recording.tokens.count, configuration.width]
    guard gradient.shape == shape else {
      throw GemmaError.gradient("a gradient \(gradient) by the final residual stream; expected f32 \(shape)")
    }
    let seeds = CotangentSeeds(model: self, recording: recording, final: try gradient.reshaped([1] + shape))
    var walk = BackwardWalk(
      model: self, recording: recording, seeds: seeds, sources: [site], mode: .exact, mlp: .through)
    guard let found = try walk.run(check: check)[site] else { throw GemmaError.gradient("no gradient at \(site)") }
    return try found.reshaped([recording.tokens.count, self.shape.width(of: site)])
  }
}

/// One walk from the last seeded site back to the earliest source.
struct BackwardWalk {
  private let model: GemmaModel
  private let recording: Recording
  private let sources: Set<Site>
  private let mode: GradientMode
  private let mlp: MLPGradient
  private let seeds: CotangentSeeds
  private var found: [Site: Tensor] = [:]

  init(
    model: GemmaModel, recording: Recording, seeds: CotangentSeeds, sources: Set<Site>, mode: GradientMode,
    mlp: MLPGradient
  ) {
    self.model = model
    self.recording = recording
    self.seeds = seeds
    self.sources = sources
    self.mode = mode
    self.mlp = mlp
  }

  private var backend: any Backend { model.backend }
  private var rows: Int { recording.tokens.count }
  private var epsilon: Float { model.configuration.normEpsilon }

  mutating func run(check: CancellationCheck) throws -> [Site: Tensor] {
    guard let earliest = sources.min() else { return [:] }
    // The gradient of the residual stream after the current block; nil while nothing has been seeded.
    var stream = try seeds.finalResidual()
    for layer in stride(from: model.configuration.layers - 1, through: 0, by: -1) {
      let last = Site.residPost(layer)
      stream = try arrive(last, stream)
      if last <= earliest { break }
      try check()
      if stream == nil, !seeds.sites.contains(where: { $0 < last }) { break }
      stream = try block(layer, stream, earliest: earliest)
    }
    if earliest == .embed { _ = try arrive(.embed, stream) }
    for site in sources where found[site] == nil { found[site] = try zeros(site) }
    return found
  }

  /// Adds what is seeded at `site` and keeps the sum when it is asked for.
  private mutating func arrive(_ site: Site, _ gradient: Tensor?) throws -> Tensor? {
    var gradient = gradient
    if let seed = try seeds.at(site) { gradient = try gradient.map { try backend.add($0, seed, scale: 1) } ?? seed }
    if sources.contains(site), let gradient { found[site] = gradient }
    return gradient
  }

  private func zeros(_ site: Site) throws -> Tensor {
    let width = model.shape.width(of: site)
    return try backend.tensor(
      [Float](repeating: 0, count: seeds.batch * rows * width), shape: [seeds.batch, rows, width])
  }

  /// The gradient before block `layer` from the one after it; nil when the earliest source lies inside the block, where
  /// the walk then ends.
  private mutating func block(_ layer: Int, _ after: Tensor?, earliest: Site) throws -> Tensor? {
    let w = model.weights.layers[layer]
    let forward = try BlockValues(model: model, recording: recording, layer: layer)
    let dMLPOut = try arrive(.mlpOut(layer), after)
    if earliest == .mlpOut(layer) { return nil }
    var dMLPIn: Tensor?
    if let dMLPOut, mlp == .through {
      let dHidden = try normGradient(dMLPOut, x: try forward.mlp(), gain: w.postFeedForwardGain)
      dMLPIn = try backend.gatedMLPVJP(dHidden, x: try forward.mlpIn(), gate: w.gate, up: w.up, down: w.down)
    }
    dMLPIn = try arrive(.mlpIn(layer), dMLPIn)
    if earliest == .mlpIn(layer) { return nil }
    let throughMLP = try dMLPIn.map { try normGradient($0, x: try forward.middle(), gain: w.preFeedForwardGain) }
    guard let dMiddle = try sum(after, throughMLP) else {
      return try attentionGradient(layer, nil, forward, earliest: earliest)
    }
    let throughAttention = try attentionGradient(
      layer, try normGradient(dMiddle, x: try forward.projected(), gain: w.postAttentionGain), forward,
      earliest: earliest)
    return earliest == .attnOut(layer) ? nil : try sum(dMiddle, throughAttention)
  }

  /// From the gradient of the output projection back to the block's input.
  private mutating func attentionGradient(
    _ layer: Int, _ dProjected: Tensor?, _ forward: BlockValues, earliest: Site
  ) throws -> Tensor? {
    let w = model.weights.layers[layer]
    let incoming = try dProjected.map { try product($0, w.output) }
    guard let dHeads = try arrive(.attnOut(layer), incoming), earliest != .attnOut(layer) else { return nil }
    let p = try forward.projections()
    let gradient = try backend.attentionVJP(
      dOut: dHeads, q: p.q, k: p.k, v: p.v, shape: model.attentionShape(layer), mode: mode)
    var dNormed = try product(gradient.dv, w.value)
    if let dq = gradient.dq, let dk = gradient.dk {
      let raw = try forward.rawProjections()
      dNormed = try backend.add(
        dNormed, try projectionGradient(dq, raw: raw.q, w.query, w.queryGain, forward.angles), scale: 1)
      dNormed = try backend.add(
        dNormed, try projectionGradient(dk, raw: raw.k, w.key, w.keyGain, forward.angles), scale: 1)
    }
    return try normGradient(dNormed, x: forward.input, gain: w.inputGain)
  }

  /// Back through rotation, per-head norm and projection of queries or keys.
  private func projectionGradient(_ dy: Tensor, raw: Tensor, _ weight: Tensor, _ gain: Tensor, _ angles: RotaryAngles)
    throws -> Tensor
  {
    let unrotated = try backend.rope(
      dy, headDimension: model.configuration.headDimension, angles: angles, inverse: true)
    return try product(
      try backend.rmsNormVJP(unrotated, x: raw, gain: gain, epsilon: epsilon, mode: .exact), weight)
  }

  private func normGradient(_ dy: Tensor, x: Tensor, gain: Tensor) throws -> Tensor {
    try backend.rmsNormVJP(dy, x: x, gain: gain, epsilon: epsilon, mode: mode)
  }

  /// dy [B, n, m] times a Linear weight [m, k] → [B, n, k].
  private func product(_ dy: Tensor, _ weight: Tensor) throws -> Tensor {
    let flat = try dy.reshaped([dy.count / max(weight.rows, 1), weight.rows])
    return try backend.matmul(flat, weight).reshaped([seeds.batch, rows, weight.rowLength])
  }

  private func sum(_ a: Tensor?, _ b: Tensor?) throws -> Tensor? {
    guard let a, let b else { return a ?? b }
    return try backend.add(a, b, scale: 1)
  }
}
