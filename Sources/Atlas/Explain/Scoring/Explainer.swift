/// What was said of a feature.
public struct Explanation: Equatable, Sendable {
  /// One line.
  public let text: String
  /// Whether it claims where the feature fires, so that it can be tested.
  public let isTestable: Bool
  /// SHA-256 of the request it answers; nil where none was sent.
  public let promptSHA256: String?

  public init(_ text: String, isTestable: Bool = true, promptSHA256: String? = nil) {
    // SQLite's text functions end at a zero character.
    self.text = String(text.map { $0 == "\0" ? "\u{2400}" : $0 })
    self.isTestable = isTestable
    self.promptSHA256 = promptSHA256
  }
}

extension Explanation {
  /// Labels that claim nothing, by which they are known again where they are kept.
  static let neverFired = "never fired"
  static let tooRare = "fires too rarely to tell on what"
  /// The beginning of one; tokens that are raised follow.
  static let tooDense = "fires on nearly every token"
}

extension ExplainedFeature {
  /// What is said of a feature that there is nothing to explain from; nil where there is.
  var withoutExamples: Explanation? {
    guard explain.examples.isEmpty else { return nil }
    let isDead = rate == 0 && test.examples.isEmpty
    return Explanation(isDead ? Explanation.neverFired : Explanation.tooRare, isTestable: false)
  }
}

/// Why a language model gave no usable answer.
public enum CallFailure: String, Error, Equatable, Sendable, CaseIterable {
  /// It declined to answer.
  case refused
  /// It answered in another form than asked for, twice.
  case malformed
  /// No answer came in time, however often it was asked.
  case timedOut
  /// The request was turned down or the connection broke, however often it was tried.
  case failed
}

/// Something that labels features.
public protocol Explainer: Sendable {
  /// Who explains: `lexical`, or the name of a model.
  var author: String { get }
  /// How, so that labels made in different ways stay apart.
  var method: String { get }

  /// A label for a feature, from `feature.explain` alone. Called on several threads at once.
  /// - Parameter check: called while waiting; throws to stop.
  /// - Throws: `CallFailure` where no label was to be had, `ExplanationError` where going on has no sense, what `check`
  ///   throws.
  func explain(_ feature: ExplainedFeature, check: @Sendable () throws -> Void) throws -> Explanation
}
