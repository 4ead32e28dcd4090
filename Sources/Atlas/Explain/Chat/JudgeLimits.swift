/// What calls to a judge may take: tokens, time and patience.
public struct JudgeLimits: Equatable, Sendable {
  /// Tokens spent, at most, over all runs that share a ledger.
  public var tokens = 1_000_000
  /// Time for one answer.
  public var timeout = Duration.seconds(60)
  /// Times a question is sent, at most.
  public var tries = 6
  /// The wait before a second try; it doubles with each. A server that names a longer one gets that.
  public var firstWait = Duration.seconds(1)
  /// The longest wait of our own, and the longest that a server may ask for without ending the run.
  public var longestWait = Duration.seconds(60)
  public var longestWaitAskedFor = Duration.seconds(300)
  /// Questions in a row that may fail before the run ends.
  public var failuresInARow = 10

  public init() {}

  /// - Throws: `ExplanationError.setting` for what allows nothing at all.
  func check() throws {
    for (name, value) in [("tokens to spend", tokens), ("tries", tries), ("failures in a row", failuresInARow)]
    where value < 1 {
      throw ExplanationError.setting(name: name, expected: "1 or more", found: "\(value)")
    }
    for (name, value) in [
      ("timeout", timeout), ("first wait", firstWait), ("longest wait", longestWait),
      ("longest wait asked for", longestWaitAskedFor),
    ] where value <= .zero || value > .seconds(86_400) {
      throw ExplanationError.setting(name: name, expected: "more than 0 and at most a day", found: "\(value)")
    }
  }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
