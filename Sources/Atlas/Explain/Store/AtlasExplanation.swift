/// A label of a feature as an atlas keeps it, with its scores.
public struct AtlasExplanation: Equatable, Sendable {
  /// One test of a label by one judge. Windows without an answer enter no accuracy.
  public struct Score: Equatable, Sendable {
    public let test: LabelTest
    public let judge: String
    /// (TP/(TP + FN) + TN/(TN + FP)) / 2; nil where `undefined` says why.
    public let balancedAccuracy: Double?
    /// The same with hard silent windows alone; nil also where there are none.
    public let hardAccuracy: Double?
    public let truePositives, falseNegatives, trueNegatives, falsePositives: Int
    public let refused, malformed, timedOut, failed: Int
    public let undefined: BalancedScore.Undefined?

    init(_ score: LabelScore) {
      let counts = score.score
      test = score.test
      judge = score.judge
      balancedAccuracy = counts.balancedAccuracy
      hardAccuracy = counts.hardAccuracy
      (truePositives, falseNegatives) = (counts.truePositives, counts.falseNegatives)
      (trueNegatives, falsePositives) = (counts.trueNegatives, counts.falsePositives)
      (refused, malformed, timedOut, failed) = (counts.refused, counts.malformed, counts.timedOut, counts.failed)
      undefined = counts.undefined
    }
  }

  /// Who explained, and how.
  public let author, method: String
  public let text: String
  /// When, in ISO 8601.
  public let created: String
  /// SHA-256 of the request it answers; nil where none was sent.
  public let promptSHA256: String?
  /// By test, then by judge.
  public let scores: [Score]

  /// The best balanced accuracy in detection; nil where there is none.
  var detection: Double? { scores.filter { $0.test == .detection }.compactMap(\.balancedAccuracy).max() }

  /// Whether this one is shown rather than `other`: people's before models', and models' before the rules'; then the
  /// better in detection; then by name.
  func precedes(_ other: AtlasExplanation) -> Bool {
    func rank(_ author: String) -> Int { author == "person" ? 0 : author == LexicalExplainer.name ? 2 : 1 }
    let (a, b) = (rank(author), rank(other.author))
    if a != b { return a < b }
    let (mine, others) = (detection ?? -1, other.detection ?? -1)
    return mine != others ? mine > others : (author, method) < (other.author, other.method)
  }
}
