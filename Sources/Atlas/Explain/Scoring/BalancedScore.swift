/// How often a judge, told a label, was right about windows held out. What it gave no answer to is counted apart and
/// enters no accuracy.
public struct BalancedScore: Equatable, Sendable {
  /// Why there is no figure.
  public enum Undefined: String, Sendable {
    /// Fewer than `fewest` windows held out in which the feature fires, or in which it is silent: nothing was asked.
    case tooFewExamples, tooFewNegatives
    /// All windows of a class went unanswered, or more than 40 % of all windows.
    case tooFewAnswers
  }

  /// Windows a class needs to be tested at all.
  public static let fewest = 4

  /// Windows in which the feature fires that were judged so, and those judged silent.
  public private(set) var truePositives = 0, falseNegatives = 0
  /// Windows in which it is silent that were judged so, and those judged to fire; hard ones included.
  public private(set) var trueNegatives = 0, falsePositives = 0
  /// Of these, windows that hold a token on which the feature fires elsewhere.
  public private(set) var hardTrueNegatives = 0, hardFalsePositives = 0
  /// Windows without an answer, by what came instead.
  public private(set) var refused = 0, malformed = 0, timedOut = 0, failed = 0
  private var missing: Undefined?

  public init() {}

  /// A score without figure because too little is held out.
  init(untested reason: Undefined) { missing = reason }

  /// Adds the decision about one window.
  mutating func add(_ decision: JudgeDecision, fires: Bool, isHard: Bool) {
    switch (decision, fires) {
    case (.fires(true), true): truePositives += 1
    case (.fires(false), true): falseNegatives += 1
    case (.fires(false), false):
      trueNegatives += 1
      if isHard { hardTrueNegatives += 1 }
    case (.fires(true), false):
      falsePositives += 1
      if isHard { hardFalsePositives += 1 }
    case (.none(.refused), _): refused += 1
    case (.none(.malformed), _): malformed += 1
    case (.none(.timedOut), _): timedOut += 1
    case (.none(.failed), _): failed += 1
    }
  }

  /// Windows judged, and windows that went unanswered.
  public var answered: Int { truePositives + falseNegatives + trueNegatives + falsePositives }
  public var unanswered: Int { refused + malformed + timedOut + failed }

  /// Why `balancedAccuracy` is nil; nil where it is not.
  public var undefined: Undefined? {
    if let missing { return missing }
    guard truePositives + falseNegatives > 0, trueNegatives + falsePositives > 0 else { return .tooFewAnswers }
    return 10 * answered >= 6 * (answered + unanswered) ? nil : .tooFewAnswers
  }

  /// (TP/(TP + FN) + TN/(TN + FP)) / 2: 0.5 is what a label that tells nothing gets. Nil, never 0, where `undefined`
  /// says why.
  public var balancedAccuracy: Double? {
    undefined == nil ? Self.mean(truePositives, falseNegatives, trueNegatives, falsePositives) : nil
  }

  /// The same with hard negatives alone; nil also where there are none.
  public var hardAccuracy: Double? {
    guard undefined == nil, hardTrueNegatives + hardFalsePositives > 0 else { return nil }
    return Self.mean(truePositives, falseNegatives, hardTrueNegatives, hardFalsePositives)
  }

  private static func mean(_ tp: Int, _ fn: Int, _ tn: Int, _ fp: Int) -> Double {
    (Double(tp) / Double(tp + fn) + Double(tn) / Double(tn + fp)) / 2
  }
}
