import Atlas

/// Labels for people, and why a label or a test of it has no figure: as JSON calls it, and in words.
enum LabelWording {
  /// A label with nothing in it that a terminal would obey, for it may be a judge's or somebody else's file's.
  static func text(_ label: String) -> String { VisibleText.piece(label).replacing("␣", with: " ") }

  /// The same, and why it has no score.
  static func text(_ label: String, untested: AtlasExplanation.Untested?) -> String {
    text(label) + (untested.map { " [\(words($0))]" } ?? "")
  }

  static func name(_ reason: BalancedScore.Undefined) -> String {
    switch reason {
    case .tooFewExamples: "too_few_examples"
    case .tooFewNegatives: "too_few_negatives"
    case .tooFewAnswers: "too_few_answers"
    }
  }

  static func name(_ reason: AtlasExplanation.Untested) -> String {
    switch reason {
    case .neverFired: "never_fired"
    case .tooRare: "too_rare"
    case .tooDense: "too_dense"
    case .test(let reason): name(reason)
    case .notTested: "not_tested"
    }
  }

  static func words(_ reason: BalancedScore.Undefined) -> String {
    switch reason {
    case .tooFewExamples: "untested: too few examples held out"
    case .tooFewNegatives: "untested: too few silent windows held out"
    case .tooFewAnswers: "untested: too few answers"
    }
  }

  static func words(_ reason: AtlasExplanation.Untested) -> String {
    switch reason {
    case .neverFired: "untested: it never fired"
    case .tooRare: "untested: it fires too rarely"
    case .tooDense: "untested: it fires nearly everywhere"
    case .test(let reason): words(reason)
    case .notTested: "untested"
    }
  }
}
