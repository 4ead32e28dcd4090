/// How a dictionary starts.
public struct Initialisation: Hashable, Sendable {
  /// Where encoder directions come from.
  public enum Encoder: Hashable, Sendable {
    /// The decoder row (at the source's own layer, made unit length). Needs equal input and output widths.
    case decoder
    /// A random direction of its own, as Gemma Scope's transcoders.
    case independent
  }

  public var seed: UInt64
  public var encoder: Encoder
  /// Every threshold at first, in normalised units.
  public var threshold: Float
  /// Multiplies the encoder's unit rows.
  public var encoderScale: Float

  public init(seed: UInt64, encoder: Encoder, threshold: Float = 0.001, encoderScale: Float = 1) {
    self.seed = seed
    self.encoder = encoder
    self.threshold = threshold
    self.encoderScale = encoderScale
  }
}
