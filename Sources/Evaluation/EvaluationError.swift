/// What cannot be evaluated.
public enum EvaluationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Tensors or codes that do not fit together.
  case shape(what: String, expected: String, found: String)
  /// Something that was to be measured before.
  case missing(what: String)

  public var description: String {
    switch self {
    case .shape(let what, let expected, let found): "\(what): expected \(expected), found \(found)"
    case .missing(let what): "there are no \(what)"
    }
  }
}
