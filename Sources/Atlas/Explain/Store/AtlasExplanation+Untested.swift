extension AtlasExplanation {
  /// Why a label has no score.
  public enum Untested: Equatable, Sendable {
    /// It claims nothing, so there is nothing to test: the feature never fired, fired nowhere that may be explained
    /// from, or fires on half of all tokens or more.
    case neverFired, tooRare, tooDense
    /// No test came to a figure, and this one of them tells why.
    case test(BalancedScore.Undefined)
    /// Nobody tested it.
    case notTested
  }

  /// The mean balanced accuracy of its tests; nil where `untested` says why.
  public var score: Double? {
    let figures = scores.compactMap(\.balancedAccuracy)
    return figures.isEmpty ? nil : figures.reduce(0, +) / Double(figures.count)
  }

  /// Why no test gave a figure; nil where one did.
  public var untested: Untested? {
    score == nil ? Untested(label: text, by: author, reason: scores.lazy.compactMap(\.undefined).first) : nil
  }
}

extension AtlasExplanation.Untested {
  /// An atlas keeps of a label what it says and who says it; people and judges may use the same words and mean them.
  /// - Parameter reason: of a test without figure; nil where none was made.
  package init(label: String, by author: String, reason: BalancedScore.Undefined?) {
    let isOwn = author != "person"
    let isDense = label == Explanation.tooDense || label.hasPrefix(Explanation.tooDense + "; raises ")
    self =
      if let reason {
        .test(reason)
      } else if isOwn, label == Explanation.neverFired {
        .neverFired
      } else if isOwn, label == Explanation.tooRare {
        .tooRare
      } else if author == LexicalExplainer.name, isDense {
        .tooDense
      } else {
        .notTested
      }
  }
}
