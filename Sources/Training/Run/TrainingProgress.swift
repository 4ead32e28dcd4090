/// How a run stands after a step.
public struct TrainingProgress: Sendable {
  /// Which dictionary the step was of, and among how many.
  public let job: Int
  public let jobs: Int
  public let name: String
  /// Steps of this dictionary.
  public let step: Int
  public let steps: Int
  /// Steps of all of them.
  public let stepsDone: Int
  public let stepsInAll: Int
  public let loss: Double
  public let fvu: Double
  public let l0: Double
  /// Only end to end.
  public let kl: Double?
  public let dead: Double
  /// Activations trained on, of the last stretch.
  public let tokensPerSecond: Double
}

/// Tokens a second over the last few seconds of training alone.
struct RateMeter {
  private var last = ContinuousClock.now
  private var tokens = 0.0
  private var seconds = 0.0

  /// Time that passed otherwise does not count.
  mutating func skip() { last = .now }

  mutating func add(_ count: Int) -> Double {
    let now = ContinuousClock.now
    // Older steps fade, so that the rate follows what is going on.
    let fade = seconds > 10 ? 0.9 : 1
    tokens = tokens * fade + Double(count)
    seconds = seconds * fade + (now - last) / .seconds(1)
    last = now
    return seconds > 0 ? tokens / seconds : 0
  }
}
