/// Judges labels by asking a language model, a few windows at a time.
public struct ChatJudge: Judge {
  public var name: String { session.model }
  private let session: JudgeSession
  private let batch: Int
  private let tokens: Int

  /// - Parameters:
  ///   - batch: windows in one question, at most.
  ///   - tokens: of an answer, at most; models that think aloud need more.
  public init(_ session: JudgeSession, batch: Int = 5, tokens: Int = 128) {
    self.session = session
    self.batch = max(batch, 1)
    self.tokens = max(tokens, 1)
  }

  public func decide(
    _ label: String, _ windows: [TestWindow], for test: LabelTest, of feature: String,
    check: @Sendable () throws -> Void
  ) throws -> [JudgeDecision] {
    try stride(from: 0, to: windows.count, by: batch).flatMap { start in
      try decide(
        label, Array(windows[start..<min(start + batch, windows.count)]), test, feature, mayHalve: true, check)
    }
  }

  private func decide(
    _ label: String, _ windows: [TestWindow], _ test: LabelTest, _ feature: String, mayHalve: Bool,
    _ check: @Sendable () throws -> Void
  ) throws -> [JudgeDecision] {
    var (tokens, isStrict) = (tokens, false)
    func all(_ failure: CallFailure) -> [JudgeDecision] { windows.map { _ in .none(failure) } }
    while true {
      let request = ChatRequest(
        JudgePrompt.messages(label, windows, for: test, isStrict: isStrict), maxTokens: tokens,
        purpose: test.rawValue, feature: feature)
      switch try session.ask(request, check: check) {
      case .text(let text, let isCut):
        if let list = AnswerText.list(in: text, count: windows.count) { return list.map { .fires($0) } }
        if !isCut, AnswerText.isRefusal(text) { return all(.refused) }
        if isCut, tokens == self.tokens {
          tokens *= 2
        } else if !isStrict {
          isStrict = true
        } else {
          return all(.malformed)
        }
      case .tooLong:
        guard mayHalve, windows.count > 1 else { return all(.failed) }
        let half = windows.count / 2
        return try decide(label, Array(windows[..<half]), test, feature, mayHalve: false, check)
          + decide(label, Array(windows[half...]), test, feature, mayHalve: false, check)
      case .none(.malformed) where !isStrict: isStrict = true
      case .none(let failure): return all(failure)
      }
    }
  }
}
