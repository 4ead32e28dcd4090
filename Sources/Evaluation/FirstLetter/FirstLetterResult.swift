/// What a letter's probes are worth on test words: the dense one, and beside it probes of a few features and of a few
/// channels.
public struct LetterProbe: Sendable, Equatable {
  public let letter: Character
  public let trainingWords, testWords: Int
  /// The dense probe.
  public let dense: DetectionScores
  /// Probes of 1, 2 and 5 of the dictionary's features, and of the site's channels, by their number. Empty for a letter
  /// without training words.
  public let features, channels: [Int: DetectionScores]
  /// The features that the letter is split into.
  public let split: SplitFeatures
}

/// The first-letter task for one dictionary.
public enum FirstLetterResult: Sendable, Equatable {
  /// Too few letters have a dense probe with an F1 above 0.6: what a dictionary does with letters that the model does
  /// not show cannot be asked. The probes' scores need no threshold.
  case notApplicable(probes: [LetterProbe])
  case measured(probes: [LetterProbe], absorption: AbsorptionResult)

  /// Of all 26 letters.
  public var probes: [LetterProbe] {
    switch self {
    case .notApplicable(let probes), .measured(let probes, _): probes
    }
  }
}
