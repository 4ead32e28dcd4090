/// What cannot be evaluated.
public enum EvaluationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Tensors or codes that do not fit together.
  case shape(what: String, expected: String, found: String)
  /// Something that was to be measured before.
  case missing(what: String)
  /// A file of labelled texts that breaks its format; lines count from 1.
  case text(path: String, line: Int, reason: String)
  /// Labelled texts that cannot be used as asked.
  case texts(path: String, reason: String)
  /// An option that cannot be meant.
  case option(name: String, reason: String)

  public var description: String {
    switch self {
    case .shape(let what, let expected, let found): "\(what): expected \(expected), found \(found)"
    case .missing(let what): "there are no \(what)"
    case .text(let path, let line, let reason): "\(path) line \(line): \(reason)"
    case .texts(let path, let reason): "\(path): \(reason)"
    case .option(let name, let reason): "\(name): \(reason)"
    }
  }
}
