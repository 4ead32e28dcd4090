import Checkpoints

/// A dictionary or suite that cannot be used as asked.
public enum DictionaryError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A folder or file that is missing or holds something else.
  case file(path: String, reason: String)
  /// A key of `config.json` (or `training.json`, `suite.json`) with a value that cannot be meant.
  case configuration(path: String, key: String, reason: String)
  /// What the configuration says against what the files hold.
  case contradiction(path: String, configuration: String, files: String)
  /// A tensor that must be there.
  case missingTensor(path: String, name: String)
  /// A tensor that this kind of dictionary does not have.
  case unexpectedTensor(path: String, name: String, known: [String])
  /// A tensor of another shape, element type or value than its place asks for.
  case tensor(path: String, name: String, expected: String, found: String)
  /// Neither the configuration nor the path tells which site the dictionary belongs to.
  case unknownSite(path: String)
  /// A site given by the caller that this dictionary cannot be moved to.
  case site(path: String, reason: String)
  /// A dictionary made for other widths or layers than the model's.
  case doesNotFit(dictionary: String, model: String, reason: String)
  /// A feature, read or write outside the dictionary.
  case outOfRange(what: String, value: Int, limit: Int)
  /// Activations or codes that do not fit the dictionary.
  case input(operation: String, expected: String, found: String)
  /// No dictionary of a suite, or more than one, answers to a selection.
  case selection(suite: String, wanted: String, candidates: [String], matches: Int)

  public var description: String {
    switch self {
    case .file(let path, let reason): "\(path): \(reason.clipped)"
    case .configuration(let path, let key, let reason): "\(path): '\(key.clipped)' \(reason.clipped)"
    case .contradiction(let path, let configuration, let files):
      "\(path): the configuration says \(configuration), but the files hold \(files)"
    case .missingTensor(let path, let name): "\(path): tensor '\(name)' is missing"
    case .unexpectedTensor(let path, let name, let known):
      "\(path): unexpected tensor '\(name.clipped)'; known are \(known.joined(separator: ", "))"
    case .tensor(let path, let name, let expected, let found):
      "\(path): tensor '\(name)': expected \(expected), found \(found)"
    case .unknownSite(let path):
      "\(path): neither config.json nor the path tells which site this dictionary reads; name it (such as resid_post.9)"
    case .site(let path, let reason): "\(path): \(reason)"
    case .doesNotFit(let dictionary, let model, let reason):
      "dictionary does not fit the model: \(reason) (dictionary: \(dictionary); model: \(model))"
    case .outOfRange(let what, let value, let limit): "\(what) \(value) is outside 0..<\(limit)"
    case .input(let operation, let expected, let found): "\(operation): expected \(expected), found \(found)"
    case .selection(let suite, let wanted, let candidates, let matches):
      "\(suite): \(matches == 0 ? "no dictionary" : "\(matches) dictionaries") for \(wanted); "
        + (matches == 0 ? "there are:" : "choose one of:") + Self.listed(candidates)
    }
  }

  /// A line for each of the first candidates.
  private static func listed(_ candidates: [String]) -> String {
    let most = 20
    let more = candidates.count > most ? "\n  … and \(candidates.count - most) more" : ""
    return candidates.prefix(most).map { "\n  " + $0.clipped }.joined() + more
  }
}
