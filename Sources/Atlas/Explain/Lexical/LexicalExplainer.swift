/// Labels features without a language model: a sentence of the tokens a feature fires on, what stands around them, and
/// the tokens it makes likelier.
///
/// Of the rules that the examples suggest it takes the one with the best balanced accuracy on the windows that may be
/// explained from, among equals the shortest sentence. How good that is, only windows held out can tell
/// (`LexicalJudge`).
public struct LexicalExplainer: Explainer {
  /// Its name as an author.
  public static let name = "lexical"
  public var author: String { Self.name }
  public let method = "rules"
  /// Decides which negatives are looked at.
  private let seed: UInt64
  /// Negatives looked at, at most.
  private let negatives: Int

  /// - Parameter negatives: of a feature's, the number that rules are tried on.
  public init(seed: UInt64 = 0, negatives: Int = 40) {
    self.seed = seed
    self.negatives = max(negatives, 0)
  }

  public func explain(_ feature: ExplainedFeature, check: @Sendable () throws -> Void) throws -> Explanation {
    try check()
    if let silence = feature.withoutExamples { return silence }
    if let rate = feature.rate, rate >= 0.5 {
      return Explanation(Explanation.tooDense + raised(feature), isTestable: false)
    }
    return Explanation("fires " + rule(feature).text + raised(feature))
  }

  private func rule(_ feature: ExplainedFeature) -> LexicalRule<String> {
    let order = ChoiceOrder(seed: seed, "lexical negatives", feature.key)
    let evidence = LexicalEvidence(
      examples: feature.explain.examples,
      negatives: Array(order.shuffled(feature.explain.negatives).prefix(negatives)))
    var best: (rule: LexicalRule<String>, accuracy: Double, length: Int)?
    for candidate in evidence.candidates {
      let rule = candidate.mapped { evidence.names[$0] }
      // Without negatives every rule is as good as another, and the first is the plainest.
      let accuracy = evidence.balancedAccuracy(candidate) ?? 0
      let length = rule.text.count
      if let best, best.accuracy > accuracy || best.accuracy == accuracy && best.length <= length { continue }
      if best != nil, evidence.negatives.isEmpty { continue }
      best = (rule, accuracy, length)
    }
    return best?.rule ?? LexicalRule()
  }

  /// The tokens whose logit it raises most, three at most.
  private func raised(_ feature: ExplainedFeature) -> String {
    Self.raised(feature.topTokens.filter { $0.logit > 0 }.prefix(Self.mostRaised).map(\.piece))
  }

  static let mostRaised = 3

  /// What a label says of tokens that are raised.
  static func raised(_ pieces: [String]) -> String {
    if pieces.isEmpty { return "" }
    return "; raises "
      + pieces.map { LexicalText.quoted(TokenText.text(CollectionOfOne($0))) }.joined(separator: ", ")
  }
}
