import Sites

/// A corpus that cannot be read, or activations that cannot be made, stored or read as asked.
public enum ActivationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// `path` cannot be opened, or holds no text.
  case unreadable(path: String, reason: String)
  /// The text of `path` breaks its format; lines count from 1.
  case text(path: String, line: Int, reason: String)
  /// An option that cannot be meant.
  case option(name: String, reason: String)
  /// A saved position that is none of this stream.
  case state(reason: String)
  /// The model gave a number that is not finite.
  case notFinite(site: String, sequence: Int, position: Int)
  /// A folder of stored activations, or one of its files, is not what it should be.
  case store(path: String, reason: String)
  /// A folder holds stored activations made with other settings.
  case otherSettings(path: String, key: String, found: String, expected: String)

  public var description: String {
    switch self {
    case .unreadable(let path, let reason), .store(let path, let reason): "\(path): \(reason)"
    case .text(let path, let line, let reason): "\(path) line \(line): \(reason)"
    case .option(let name, let reason): "\(name): \(reason)"
    case .state(let reason): "the saved position does not fit this stream: \(reason)"
    case .notFinite(let site, let sequence, let position):
      "site \(site): an activation of sequence \(sequence), position \(position) is not finite"
    case .otherSettings(let path, let key, let found, let expected):
      "\(path): holds a harvest with another '\(key)': \(found) there, \(expected) asked for; choose another folder"
    }
  }
}
