/// How the next token is chosen from the logits.
///
/// With a temperature above 0 a token's probability is softmax(logits / temperature), cut first to the `topK` most
/// probable tokens, then to the fewest of those whose share of what is left reaches `topP`. Equal logits count as
/// ordered by id, the lower one first.
public struct Sampling: Sendable, Equatable {
  /// 0 takes the most probable token.
  public var temperature: Double
  /// 0 keeps all tokens.
  public var topK: Int
  /// 1 keeps all tokens.
  public var topP: Double
  /// The same seed gives the same choices from the same logits.
  public var seed: UInt64

  /// Values out of range are refused when a `Sampler` is made.
  public init(temperature: Double = 0, topK: Int = 0, topP: Double = 1, seed: UInt64 = 0) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.seed = seed
  }

  /// The most probable token, always.
  public static let greedy = Sampling()

  /// - Throws: `GemmaError.input` naming the first value out of range.
  func validate() throws {
    guard temperature.isFinite, temperature >= 0 else {
      throw GemmaError.input("temperature \(temperature): expected a number from 0")
    }
    guard topK >= 0 else { throw GemmaError.input("top-k \(topK): expected a number of tokens, or 0 for all") }
    guard topP > 0, topP <= 1 else { throw GemmaError.input("top-p \(topP): expected a share above 0, up to 1") }
  }
}
