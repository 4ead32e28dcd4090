/// Training that cannot be done as asked.
public enum TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A setting of shape, objective or step outside what it may be.
  case setting(name: String, expected: String, found: String)
  /// A batch that does not fit the shape.
  case batch(expected: String, found: String)
  /// A saved tensor that is missing or does not fit.
  case saved(tensor: String, expected: String, found: String)
  /// A backend that cannot train.
  case backend(String)

  public var description: String {
    switch self {
    case .setting(let name, let expected, let found): "\(name): expected \(expected), found \(found)"
    case .batch(let expected, let found): "training batch: expected \(expected), found \(found)"
    case .saved(let tensor, let expected, let found):
      "saved training state, tensor \(tensor): expected \(expected), found \(found)"
    case .backend(let name): "\(name) cannot train dictionaries"
    }
  }
}
