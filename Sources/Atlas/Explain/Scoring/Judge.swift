/// How a label is tested.
public enum LabelTest: String, Sendable, CaseIterable, Comparable {
  /// Does the feature fire in this window?
  case detection
  /// Are the tokens marked in this window those on which it fires?
  case fuzzing

  public static func < (a: LabelTest, b: LabelTest) -> Bool { a.rawValue < b.rawValue }
}

/// What a judge sees of a window: its tokens, and in fuzzing which of them are marked. Activations stay with the test.
public struct TestWindow: Equatable, Sendable {
  /// Tokens as the vocabulary spells them.
  public let pieces: [String]
  /// Tokens marked, ascending; none in detection.
  public let marks: [Int]

  public init(pieces: [String], marks: [Int] = []) {
    self.pieces = pieces
    self.marks = marks
  }
}

/// What a judge made of one window.
public enum JudgeDecision: Equatable, Sendable {
  case fires(Bool)
  case none(CallFailure)

  public static let malformed = JudgeDecision.none(.malformed)
}

/// Something that decides from a label where a feature fires.
public protocol Judge: Sendable {
  /// Who judges, as scores name it.
  var name: String { get }

  /// One decision for each window, in their order. Called on several threads at once.
  /// - Parameters:
  ///   - feature: whose label it is, for records; no ground to decide on.
  ///   - check: called while waiting; throws to stop.
  /// - Throws: `ExplanationError` where going on has no sense, what `check` throws.
  func decide(
    _ label: String, _ windows: [TestWindow], for test: LabelTest, of feature: String,
    check: @Sendable () throws -> Void
  ) throws -> [JudgeDecision]
}
