import Checkpoints

/// A recipe that cannot be meant.
public enum RecipeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file that is missing or no JSON object.
  case file(path: String, reason: String)
  /// A key with a value that cannot be meant, or a key that is not known.
  case value(path: String, key: String, reason: String)
  /// A recipe that asks for what the model does not have.
  case model(path: String, reason: String)

  public var description: String {
    switch self {
    case .file(let path, let reason), .model(let path, let reason): "\(path): \(reason.clipped)"
    case .value(let path, let key, let reason): "\(path): '\(key.clipped)' \(reason.clipped)"
    }
  }
}
