public import Gemma
import Sites

/// The sizes of a model that decide what training dictionaries on it costs.
public struct PlannedModel: Equatable, Sendable {
  public let name: String
  public let layers: Int
  /// d_model.
  public let width: Int
  public let queryHeads: Int
  public let keyValueHeads: Int
  public let headDimension: Int
  public let feedForward: Int
  public let vocabularySize: Int
  public let slidingWindow: Int
  /// Layers whose attention sees everything; the others see `slidingWindow` positions.
  public let globalLayers: Set<Int>

  /// The five sizes of Gemma 3 (their `config.json`).
  public static let sizes: [PlannedModel] = [
    PlannedModel("270m", 18, 640, 4, 1, 256, 2048, 262_144, 512),
    PlannedModel("1b", 26, 1152, 4, 1, 256, 6912, 262_144, 512),
    PlannedModel("4b", 34, 2560, 8, 4, 256, 10240, 262_208, 1024),
    PlannedModel("12b", 48, 3840, 16, 8, 256, 15360, 262_208, 1024),
    PlannedModel("27b", 62, 5376, 32, 16, 128, 21504, 262_208, 1024),
  ]

  private init(
    _ name: String, _ layers: Int, _ width: Int, _ queryHeads: Int, _ keyValueHeads: Int, _ headDimension: Int,
    _ feedForward: Int, _ vocabularySize: Int, _ slidingWindow: Int
  ) {
    self.name = name
    self.layers = layers
    self.width = width
    self.queryHeads = queryHeads
    self.keyValueHeads = keyValueHeads
    self.headDimension = headDimension
    self.feedForward = feedForward
    self.vocabularySize = vocabularySize
    self.slidingWindow = slidingWindow
    globalLayers = Set((0..<layers).filter { ($0 + 1) % 6 == 0 })
  }

  /// A model at hand.
  public init(name: String, _ configuration: GemmaConfiguration) {
    self.name = name
    layers = configuration.layers
    width = configuration.width
    queryHeads = configuration.queryHeads
    keyValueHeads = configuration.keyValueHeads
    headDimension = configuration.headDimension
    feedForward = configuration.feedForward
    vocabularySize = configuration.vocabularySize
    slidingWindow = configuration.slidingWindow
    globalLayers = Set(configuration.isGlobal.indices.filter { configuration.isGlobal[$0] })
  }

  /// Heads × head_dim: the width of `attn_out`.
  public var attentionWidth: Int { queryHeads * headDimension }

  /// As `GemmaConfiguration.parameterCount`.
  public var parameterCount: Int {
    layers * (attentionParameters + 2 * headDimension + 3 * width * feedForward + 4 * width) + vocabularySize * width
      + width
  }

  private var attentionParameters: Int { width * headDimension * (2 * queryHeads + 2 * keyValueHeads) }

  /// Layers at 25, 50, 65 and 85 % of the depth, which Gemma Scope 2 covers most closely: ⌊x · layers + 0.5⌋.
  public var deepLayers: [Int] { [0.25, 0.5, 0.65, 0.85].map { Int($0 * Double(layers) + 0.5) } }

  /// Floating-point operations for one token of a pass over the blocks 0 ... `last`, without logits: two for each weight of
  /// the blocks' matrices, and for each head 4 · head_dim for each position that attention sees (scores and mix).
  /// - Parameter context: tokens of a sequence; a token at position t sees min(t + 1, window) positions in local layers.
  public func flops(throughLayer last: Int, context: Int) -> Double {
    let matrices = Double(2 * (attentionParameters + 3 * width * feedForward))
    return (0...max(0, min(last, layers - 1))).reduce(0.0) { total, layer in
      let window = globalLayers.contains(layer) ? context : min(slidingWindow, context)
      return total + matrices + 4 * Double(attentionWidth) * Self.meanVisible(context: context, window: window)
    }
  }

  /// The mean over positions of min(t + 1, window).
  static func meanVisible(context: Int, window: Int) -> Double {
    let (length, window) = (Double(context), Double(window))
    return (window * (window + 1) / 2 + (length - window) * window) / length
  }
}
