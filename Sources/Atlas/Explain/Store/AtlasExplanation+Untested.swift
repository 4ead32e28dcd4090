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
    score == nil ? Untested(label: text, reason: scores.lazy.compactMap(\.undefined).first) : nil
  }
}

extension AtlasExplanation.Untested {
  /// - Parameter reason: of a test without figure; nil where none was made.
  package init(label: String, reason: BalancedScore.Undefined?) {
    self =
      if let reason {
        .test(reason)
      } else if label == Explanation.neverFired {
        .neverFired
      } else if label == Explanation.tooRare {
        .tooRare
      } else if label.hasPrefix(Explanation.tooDense) {
        .tooDense
      } else {
        .notTested
      }
  }
}
