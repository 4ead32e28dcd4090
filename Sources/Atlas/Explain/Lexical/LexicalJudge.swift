/// Decides by the words that a label quotes whether a feature fires in a window. It sees the label's text and nothing
/// else of the feature, so what is scored is the label.
public struct LexicalJudge: Judge {
  public let name = "lexical"

  public init() {}

  /// `malformed` for every window where the label quotes no word.
  public func decide(
    _ label: String, _ windows: [TestWindow], for test: LabelTest, of feature: String,
    check: @Sendable () throws -> Void
  ) throws -> [JudgeDecision] {
    try check()
    let rule = LexicalRule(label: label)
    guard !rule.isEmpty else { return windows.map { _ in .malformed } }
    return windows.map { window in
      let tokens = window.pieces.map(TokenText.normalised)
      switch test {
      case .detection: return .fires(rule.fires(in: tokens))
      case .fuzzing: return .fires(rule.fires(in: tokens, on: window.marks))
      }
    }
  }
}
