/// What explaining a feature starts from. Windows are split by the sequence they come from: a label is made from
/// `explain` and tested on `test`, and no sequence has windows in both.
public struct ExplainedFeature: Equatable, Sendable {
  /// Windows of one side of the split.
  public struct Evidence: Equatable, Sendable {
    /// Windows in which the feature fires.
    public let examples: [TokenWindow]
    /// Windows in which it is known not to, each drawn without regard to the feature. More than are used do no harm:
    /// which are used is decided by seed and key.
    public let negatives: [TokenWindow]

    public init(examples: [TokenWindow], negatives: [TokenWindow]) {
      self.examples = examples
      self.negatives = negatives
    }
  }

  /// A token whose logit the feature's direction raises or lowers.
  public struct TokenEffect: Equatable, Sendable {
    /// The token as the vocabulary spells it.
    public let piece: String
    /// The direction's product with the unembedding of the token (times the final norm's gain).
    public let logit: Float

    public init(_ piece: String, _ logit: Float) {
      self.piece = piece
      self.logit = logit
    }
  }

  /// The feature's name, unique in a run; the same name and seed give the same tests.
  public let key: String
  public let explain: Evidence
  public let test: Evidence
  /// Tokens whose logit it raises most, and lowers most.
  public let topTokens, bottomTokens: [TokenEffect]
  /// The share of tokens it fires on; nil where unknown.
  public let rate: Double?

  /// A feature with its windows.
  /// - Throws: `ExplanationError.evidence` for windows without tokens or with another number of activations, for
  ///   activations that are negative or not finite, examples that are silent, negatives that are not, and a sequence on
  ///   both sides of the split.
  public init(
    key: String, explain: Evidence, test: Evidence, topTokens: [TokenEffect] = [], bottomTokens: [TokenEffect] = [],
    rate: Double? = nil
  ) throws {
    self.key = key
    self.explain = explain
    self.test = test
    self.topTokens = topTokens
    self.bottomTokens = bottomTokens
    self.rate = rate
    for (side, evidence) in [("explained from", explain), ("tested on", test)] {
      for (i, window) in evidence.examples.enumerated() {
        try check(window, "example \(i) \(side)", fires: true)
      }
      for (i, window) in evidence.negatives.enumerated() {
        try check(window, "negative \(i) \(side)", fires: false)
      }
    }
    let seen = Set((explain.examples + explain.negatives).map(\.sequence))
    if let shared = (test.examples + test.negatives).first(where: { seen.contains($0.sequence) }) {
      throw ExplanationError.evidence(
        feature: key, what: "split", expected: "windows of a sequence on one side",
        found: "sequence \(shared.sequence) on both")
    }
  }

  private func check(_ window: TokenWindow, _ what: String, fires: Bool) throws {
    guard !window.pieces.isEmpty, window.activations.count == window.pieces.count else {
      throw ExplanationError.evidence(
        feature: key, what: what, expected: "one activation for each of its tokens, and a token at least",
        found: "\(window.pieces.count) tokens and \(window.activations.count) activations")
    }
    guard window.activations.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
      throw ExplanationError.evidence(
        feature: key, what: what, expected: "finite activations of at least 0", found: "\(window.activations)")
    }
    guard window.isActive == fires else {
      throw ExplanationError.evidence(
        feature: key, what: what, expected: fires ? "a token it fires on" : "no token it fires on",
        found: fires ? "none" : "at least one")
    }
  }
}
