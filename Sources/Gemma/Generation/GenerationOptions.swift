/// How far a generation goes and how it chooses.
public struct GenerationOptions: Sendable, Equatable {
  /// Tokens to produce at most.
  public var maximumTokens: Int
  /// How each token is chosen.
  public var sampling: Sampling
  /// Tokens that end it besides the model's own `endTokens`, such as `<end_of_turn>` in a chat.
  public var stopTokens: Set<Int32>
  /// Whether the model's own `endTokens` end it.
  public var stopsAtEndTokens: Bool
  /// Rows in one pass while prompts are read: bounds the memory for activations.
  public var rowsPerPass: Int

  /// Values out of range are refused when a generation starts.
  public init(
    maximumTokens: Int = 64, sampling: Sampling = .greedy, stopTokens: Set<Int32> = [], stopsAtEndTokens: Bool = true,
    rowsPerPass: Int = 1024
  ) {
    self.maximumTokens = maximumTokens
    self.sampling = sampling
    self.stopTokens = stopTokens
    self.stopsAtEndTokens = stopsAtEndTokens
    self.rowsPerPass = rowsPerPass
  }
}

/// What a model wrote.
public struct Generation: Sendable, Equatable {
  /// Why it ended.
  public enum Stop: String, Sendable, Codable {
    /// A token that ends texts came.
    case eos
    /// The most tokens asked for, or the model's last position.
    case length
  }

  /// Without the token that ended it.
  public var tokens: [Int32]
  /// Why it ended.
  public var stopped: Stop
  /// The token that ended it.
  public var endToken: Int32?

  /// A finished generation.
  public init(tokens: [Int32], stopped: Stop, endToken: Int32? = nil) {
    self.tokens = tokens
    self.stopped = stopped
    self.endToken = endToken
  }
}
