public import Sites
public import Tensors

/// A Gemma 3 text model, ready to run: weights (mapped, in their stored format) and the backend that runs them.
///
/// Immutable: any number of threads may call it. What changes between calls, the keys and values of a sequence, lives
/// in a `GemmaSession`.
///
/// ```swift
/// let model = try GemmaModel(contentsOf: folder, backend: NativeBackend())
/// let site = Site(.residPost, layer: 9)
/// let result = try model.forward([tokens], capture: [site], logits: .none)
/// let activations = result.activations[site]  // [tokens, width]
/// ```
public final class GemmaModel: Sendable {
  /// Its sizes and constants.
  public let configuration: GemmaConfiguration
  /// What computes.
  public let backend: any Backend
  let weights: GemmaWeights
  let globalRotary: RotaryTable
  let localRotary: RotaryTable

  init(configuration: GemmaConfiguration, weights: GemmaWeights, backend: any Backend) {
    self.configuration = configuration
    self.weights = weights
    self.backend = backend
    globalRotary = RotaryTable(
      base: configuration.globalRopeBase, scale: configuration.globalRopeScale,
      headDimension: configuration.headDimension)
    localRotary = RotaryTable(
      base: configuration.localRopeBase, scale: 1, headDimension: configuration.headDimension)
  }

  /// Sizes of the sites.
  public var shape: ModelShape { configuration.shape }

  /// The attention of layer `layer`.
  func attentionShape(_ layer: Int) -> AttentionShape {
    AttentionShape(
      queryHeads: configuration.queryHeads, keyValueHeads: configuration.keyValueHeads,
      headDimension: configuration.headDimension,
      window: configuration.isGlobal[layer] ? nil : configuration.slidingWindow,
      scale: Float(1 / configuration.queryScalar.squareRoot()))
  }

  /// Embeddings are multiplied by √width. transformers rounds the factor to the type it computes in; here that is
  /// fp32 whatever the weights are stored in.
  var embeddingScale: Float { Float(Double(configuration.width).squareRoot()) }

  /// An empty session.
  /// - Parameter layers: how many layers, from the first, it is for; all when nil. A pass with a session of fewer ends
  ///   after them and has no logits: the way to read early sites of a long text piece by piece.
  /// - Throws: `GemmaError.input` for a number of layers that the model does not have, `TensorError.outOfMemory`.
  public func makeSession(layers: Int? = nil) throws -> GemmaSession {
    let layers = layers ?? configuration.layers
    guard 1...configuration.layers ~= layers else {
      throw GemmaError.input("a session of \(layers) layers: the model has 1 to \(configuration.layers)")
    }
    return GemmaSession(
      caches: try (0..<layers).map { try backend.makeCache(attentionShape($0)) },
      isGlobal: Array(configuration.isGlobal.prefix(layers)))
  }

  /// Next-token logits of rows of the residual stream: final norm, then the head. residual [n, width] → [n,
  /// vocabulary]. Applied to an earlier layer's residual stream it is the logit lens.
  public func unembed(_ residual: Tensor) throws -> Tensor {
    try backend.linear(try finalNorm(residual), weights.head)
  }

  /// Rows to unembed at once so that their logits stay small (128 MB): a vocabulary of 262,144 takes a megabyte a row.
  public var rowsUnembeddedAtOnce: Int {
    max(1, min(256, (128 << 20) / (4 * max(1, configuration.vocabularySize))))
  }

  /// The final norm of rows of the residual stream.
  public func finalNorm(_ residual: Tensor) throws -> Tensor {
    try backend.rmsNorm(residual, gain: weights.finalGain, epsilon: configuration.normEpsilon, residual: nil)
  }

  /// The gain (1 + w) of the final norm, [width]: with a row of the head it gives the direction that raises a token's
  /// logit, up to the norm's denominator.
  public var finalNormGain: Tensor { weights.finalGain }

  /// Rows of the unembedding, widened: [tokens.count, width].
  public func unembeddingRows(_ tokens: [Int32]) throws -> Tensor {
    try backend.gather(weights.head, rows: tokens, scale: 1)
  }
}

/// The keys and values of one growing sequence. Use it from one thread at a time.
public final class GemmaSession {
  let caches: [any KeyValueCache]
  private let isGlobal: [Bool]

  init(caches: [any KeyValueCache], isGlobal: [Bool]) {
    self.caches = caches
    self.isGlobal = isGlobal
  }

  /// Layers it is for.
  public var layers: Int { caches.count }
  /// Tokens seen so far.
  public var count: Int { caches.first?.count ?? 0 }
  /// Bytes that keys and values take.
  public var byteCount: Int { caches.reduce(0) { $0 + $1.byteCount } }

  /// Forgets everything from position `count` on, so that another continuation can be tried. It also makes a session
  /// whole again after a pass that ended early (an interruption) has left its layers at different lengths.
  /// - Throws: `TensorError.outOfRange` when a layer has not come so far, `TensorError.dropped` when a sliding window has
  ///   already dropped what would be needed; the session is then as it was.
  public func truncate(to count: Int) throws {
    let shortest = caches.map(\.count).min() ?? 0
    guard 0...shortest ~= count else {
      throw TensorError.outOfRange(operation: "truncate session", value: count, limit: shortest + 1)
    }
    // Only windows can refuse now. All layers were fed the same rows, the first ones never fewer than later ones, so no
    // window has dropped more than the first: if that one can go back, all can.
    let order = caches.indices.filter { !isGlobal[$0] } + caches.indices.filter { isGlobal[$0] }
    for layer in order { try caches[layer].truncate(to: count) }
  }
}
