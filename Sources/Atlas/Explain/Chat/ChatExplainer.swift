/// Labels features by asking a language model.
public struct ChatExplainer: Explainer {
  public var author: String { session.model }
  public var method: String { ExplanationPrompt.method }
  private let session: JudgeSession
  private let examples: Int
  private let tokens: Int
  private let seed: UInt64

  /// - Parameters:
  ///   - examples: of a feature shown, at most.
  ///   - tokens: of an answer, at most; models that think aloud need more.
  public init(_ session: JudgeSession, examples: Int = 10, tokens: Int = 256, seed: UInt64 = 0) {
    self.session = session
    self.examples = max(examples, 1)
    self.tokens = max(tokens, 1)
    self.seed = seed
  }

  public func explain(_ feature: ExplainedFeature, check: @Sendable () throws -> Void) throws -> Explanation {
    if let silence = feature.withoutExamples { return silence }
    var (examples, tokens, isStrict) = (examples, tokens, false)
    // Each remedy is tried once: fewer examples, more room for the answer, a stricter request.
    var failure = CallFailure.malformed
    for _ in 0..<4 {
      let request = ChatRequest(
        ExplanationPrompt.messages(feature, examples: examples, isStrict: isStrict, seed: seed), maxTokens: tokens,
        purpose: "explain", feature: feature.key)
      switch try session.ask(request, check: check) {
      case .text(let text, let isCut):
        if let label = ExplanationPrompt.label(in: text) {
          return Explanation(label, promptSHA256: request.key(model: session.model))
        }
        if !isCut, AnswerText.isRefusal(text) { throw CallFailure.refused }
        failure = .malformed
        if isCut, tokens == self.tokens {
          tokens *= 2
        } else if !isStrict {
          isStrict = true
        } else {
          throw failure
        }
      case .tooLong:
        failure = .failed
        guard examples == self.examples, examples > 1 else { throw failure }
        examples /= 2
      case .none(.malformed):
        failure = .malformed
        guard !isStrict else { throw failure }
        isStrict = true
      case .none(let other): throw other
      }
    }
    throw failure
  }
}
