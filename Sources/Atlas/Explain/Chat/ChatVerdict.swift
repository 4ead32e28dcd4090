import Foundation

/// What follows from an answer by its status.
enum ChatVerdict: Equatable, Sendable {
  /// A chat completion, or something in its place: paid for.
  case answered
  /// Worth another try, after a wait of `after` seconds if the server names one.
  case again(reason: String, after: Double?)
  /// The same question in other words on the wire.
  case changed(ChatDialect)
  /// More text than the model takes.
  case tooLong(String)
  /// Turned down.
  case failed(String)
  case outOfMoney(String)
  case setup(String)

  init(_ answer: HTTPAnswer, _ dialect: ChatDialect, now: Date) {
    guard let (status, message, code) = Self.refusal(in: answer) else {
      self = .answered
      return
    }
    let reason = "status \(status): \(message)"
    let words = (message + " " + code).lowercased()
    let isBroke = Self.isBroke(message.lowercased(), code.lowercased())
    switch status {
    case 402: self = .outOfMoney(message)
    case 429 where isBroke, 500 where isBroke:
      self = .outOfMoney(message)
    case 408, 409, 425, 429, 500, 502, 503, 504, 529:
      self = .again(reason: reason, after: RetryAfter.seconds(answer.headers, now: now))
    case 401, 403, 404: self = .setup(message)
    case 413: self = .tooLong(reason)
    case 400, 422:
      if words.contains("context_length") || words.contains("context") && words.contains("length")
        || words.contains("context size") || words.contains("too long")
      {
        self = .tooLong(reason)
      } else if let next = dialect.changed(after: words) {
        self = .changed(next)
      } else {
        self = .failed(reason)
      }
    default: self = .failed(reason)
    }
  }

  /// What an answer that is none says, and by which status: gateways put errors with a status of their own into a 200.
  static func refusal(in answer: HTTPAnswer) -> (status: Int, message: String, code: String)? {
    if answer.status == 200 {
      guard case .error(let status, let message, let code) = ChatAnswer(answer.body).content else { return nil }
      return (status, message, code)
    }
    let (message, code) = ChatAnswer.error(in: answer.body)
    return (answer.status, message, code)
  }

  /// Whether "too many requests" means that nothing is left to pay them with. "Quota" alone may be that of a minute.
  private static func isBroke(_ message: String, _ code: String) -> Bool {
    ["insufficient_quota", "credit", "billing", "spend"].contains { code.contains($0) }
      || ["insufficient_quota", "credit balance", "insufficient credit"].contains { message.contains($0) }
  }

  /// Whether a request that was answered so may have been paid for all the same: gateways give these when the model
  /// behind them was too slow or broke off.
  static func mayHaveCost(_ status: Int) -> Bool { status == 500 || status == 502 || status == 504 }
}
