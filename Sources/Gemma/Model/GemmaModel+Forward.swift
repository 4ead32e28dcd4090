public import Sites
import Tensors

extension GemmaModel {
  /// Runs the model over one or several sequences in one pass.
  ///
  /// Sequences may differ in length; nothing is padded. With `sessions` (one a sequence) the tokens continue what the
  /// sessions have seen. The pass ends after the last site that is captured or visited when neither logits nor sessions
  /// need more.
  /// - Parameter check: called before the pass and before each layer.
  /// - Throws: `GemmaError.input` for empty or unknown tokens, too many positions or sessions of too few layers,
  ///   `SiteError` for a site the model does not have, and whatever `check` or a visitor throws; the sessions then hold
  ///   the tokens in some layers only, until they are truncated to what they had seen before.
  public func forward(
    _ sequences: [[Int32]], capture: Set<Site> = [], logits: LogitRows = .last, visitor: (any SiteVisitor)? = nil,
    sessions: [GemmaSession]? = nil, check: CancellationCheck = {}
  ) throws -> ForwardResult {
    for site in capture { try shape.validate(site) }
    let rows = try layout(sequences, sessions: sessions)
    try checkLayers(of: sessions, capture: capture, logits: logits)
    var pass = ForwardPass(
      model: self, rows: rows, capture: capture, visitor: visitor, sessions: sessions, logits: logits)
    try pass.run(check: check)
    func result(logits: Tensor? = nil, residual: Tensor? = nil) -> ForwardResult {
      ForwardResult(activations: pass.captured, rows: rows, logits: logits, residual: residual)
    }
    switch logits {
    case .none: return result()
    case .residual: return result(residual: try pass.residual)
    case .all: return result(logits: try unembed(try pass.residual))
    case .last:
      let ends = rows.segments.map { $0.upperBound - 1 }
      let residual = try pass.residual
      return result(logits: try unembed(pass.isNarrowed ? residual : try backend.select(residual, rows: ends)))
    }
  }

  /// A session of the first layers alone serves only what lies within them.
  private func checkLayers(of sessions: [GemmaSession]?, capture: Set<Site>, logits: LogitRows) throws {
    for session in sessions ?? [] where session.layers < configuration.layers {
      let isEnough = logits == .none && capture.allSatisfy { $0 == .embed || $0.layer < session.layers }
      guard isEnough, sessions?.allSatisfy({ $0.layers == session.layers }) == true else {
        throw GemmaError.input("a session of \(session.layers) layers: more of the model's layers are asked for")
      }
    }
  }

  /// Checks the tokens and lays their rows out.
  private func layout(_ sequences: [[Int32]], sessions: [GemmaSession]?) throws -> RowLayout {
    guard !sequences.isEmpty else { throw GemmaError.input("no text: expected at least one sequence of tokens") }
    if let sessions, sessions.count != sequences.count {
      throw GemmaError.input("\(sequences.count) sequences but \(sessions.count) sessions")
    }
    var segments: [Range<Int>] = []
    var positions: [Int] = []
    var next = 0
    for (i, tokens) in sequences.enumerated() {
      guard !tokens.isEmpty else { throw GemmaError.input("sequence \(i) is empty: expected at least one token") }
      if let token = tokens.first(where: { $0 < 0 || Int($0) >= configuration.vocabularySize }) {
        throw GemmaError.input("token \(token) is outside the vocabulary 0..<\(configuration.vocabularySize)")
      }
      let first = sessions?[i].count ?? 0
      guard first + tokens.count <= configuration.maximumPositions else {
        throw GemmaError.input(
          "\(first + tokens.count) tokens are more than the model's \(configuration.maximumPositions) positions")
      }
      segments.append(next..<next + tokens.count)
      positions += first..<first + tokens.count
      next += tokens.count
    }
    return RowLayout(segments: segments, tokens: sequences.flatMap { $0 }, positions: positions)
  }
}

/// One run through the layers.
struct ForwardPass {
  let model: GemmaModel
  let rows: RowLayout
  let capture: Set<Site>
  let visitor: (any SiteVisitor)?
  let sessions: [GemmaSession]?
  let logits: LogitRows
  var captured: [Site: Tensor] = [:]
  private var stream: Tensor?
  /// Whether `residual` holds only the last row of every sequence.
  private(set) var isNarrowed = false

  init(
    model: GemmaModel, rows: RowLayout, capture: Set<Site>, visitor: (any SiteVisitor)?, sessions: [GemmaSession]?,
    logits: LogitRows
  ) {
    self.model = model
    self.rows = rows
    self.capture = capture
    self.visitor = visitor
    self.sessions = sessions
    self.logits = logits
  }

  private var backend: any Backend { model.backend }
  private var configuration: GemmaConfiguration { model.configuration }
  private func isWanted(_ site: Site) -> Bool { capture.contains(site) || visitor?.visits(site) == true }

  /// The residual stream after the layers that ran.
  var residual: Tensor {
    get throws {
      guard let stream else { throw GemmaError.input("the pass has not run") }
      return stream
    }
  }

  /// The site after which nothing is needed any more; nil when the pass must run to its end, for logits or because the
  /// sessions need the keys and values of every layer.
  private var lastSite: Site? {
    guard logits == .none else { return nil }
    guard let sessions else { return model.shape.sites.last(where: isWanted) }
    let layers = sessions.first?.layers ?? configuration.layers
    return layers < configuration.layers ? .residPost(layers - 1) : nil
  }

  mutating func run(check: CancellationCheck) throws {
    let last = lastSite
    if logits == .none && last == nil && sessions == nil { return }
    try check()
    let embedded = try backend.gather(model.weights.embedding, rows: rows.tokens, scale: model.embeddingScale)
    var x = try pass(Site.embed, embedded)
    stream = x
    if last == Site.embed { return }
    let angles = (
      global: try model.globalRotary.angles(rows.positions, backend: backend),
      local: try model.localRotary.angles(rows.positions, backend: backend)
    )
    for layer in 0..<configuration.layers {
      try check()
      guard let next = try block(layer, x, configuration.isGlobal[layer] ? angles.global : angles.local, until: last)
      else { return }
      x = next
      stream = x
      if let last, last == Site(.residPost, layer: layer) { return }
    }
  }

  /// Hands a site's activations to the visitor and keeps them when captured.
  private mutating func pass(_ site: Site, _ x: Tensor) throws -> Tensor {
    var x = x
    if let visitor, visitor.visits(site) { x = try visitor.visit(site, x, rows: rows) }
    if capture.contains(site) { captured[site] = x }
    return x
  }

  /// One block; nil when `last` lies inside it and was reached.
  private mutating func block(_ layer: Int, _ x: Tensor, _ angles: RotaryAngles, until last: Site?) throws -> Tensor? {
    let w = model.weights.layers[layer]
    let sites = (
      attention: Site(.attnOut, layer: layer), mlpIn: Site(.mlpIn, layer: layer), mlpOut: Site(.mlpOut, layer: layer),
      residual: Site(.residPost, layer: layer)
    )
    var heads = try attention(layer, x, angles)
    heads = try pass(sites.attention, heads)
    if last == sites.attention { return nil }
    var x = x
    let wantsRest = [sites.mlpIn, sites.mlpOut, sites.residual].contains(where: isWanted)
    if layer == configuration.layers - 1, logits == .last, !wantsRest {
      // Past the last attention rows no longer meet: only those that get logits go on.
      let ends = rows.segments.map { $0.upperBound - 1 }
      heads = try backend.select(heads, rows: ends)
      x = try backend.select(x, rows: ends)
      isNarrowed = true
    }
    let projected = try backend.linear(heads, w.output)
    let middle = try norm(projected, w.postAttentionGain, residual: x)
    let mlpIn = try pass(sites.mlpIn, try norm(middle, w.preFeedForwardGain))
    if last == sites.mlpIn { return nil }
    let mlp = try backend.gatedMLP(mlpIn, gate: w.gate, up: w.up, down: w.down)
    guard isWanted(sites.mlpOut) else {
      return try pass(sites.residual, try norm(mlp, w.postFeedForwardGain, residual: middle))
    }
    let mlpOut = try pass(sites.mlpOut, try norm(mlp, w.postFeedForwardGain))
    if last == sites.mlpOut { return nil }
    return try pass(sites.residual, try backend.add(middle, mlpOut, scale: 1))
  }

  /// The concatenated heads of a layer, before the output projection: [rows, queryHeads·headDimension].
  private func attention(_ layer: Int, _ x: Tensor, _ angles: RotaryAngles) throws -> Tensor {
    let w = model.weights.layers[layer]
    let h = try norm(x, w.inputGain)
    let projections = try model.rotatedProjections(h, w, angles)
    return try backend.attention(
      q: projections.q, k: projections.k, v: projections.v, segments: rows.segments,
      caches: sessions?.map { $0.caches[layer] }, shape: model.attentionShape(layer))
  }

  private func norm(_ x: Tensor, _ gain: Tensor, residual: Tensor? = nil) throws -> Tensor {
    try backend.rmsNorm(x, gain: gain, epsilon: configuration.normEpsilon, residual: residual)
  }
}

extension GemmaModel {
  /// Queries and keys (normed per head, then rotated) and values of normed rows `h`.
  func rotatedProjections(_ h: Tensor, _ w: LayerWeights, _ angles: RotaryAngles) throws -> (
    q: Tensor, k: Tensor, v: Tensor
  ) {
    func rotated(_ weight: Tensor, _ gain: Tensor) throws -> Tensor {
      let normed = try backend.rmsNorm(
        try backend.linear(h, weight), gain: gain, epsilon: configuration.normEpsilon, residual: nil)
      return try backend.rope(normed, headDimension: configuration.headDimension, angles: angles, inverse: false)
    }
    return (try rotated(w.query, w.queryGain), try rotated(w.key, w.keyGain), try backend.linear(h, w.value))
  }
}
