/// An atlas that cannot be built or read as asked.
public enum AtlasError: Error, Equatable, Sendable, CustomStringConvertible {
  /// An option that cannot be meant.
  case option(name: String, reason: String)
  /// A file that is no atlas, or cannot be opened as one.
  case file(path: String, reason: String)
  /// A build that has not come to its end.
  case unfinished(path: String, tokens: Int, of: Int)
  /// A build in the same place was begun with something else.
  case otherSettings(path: String, key: String, found: String, expected: String)
  /// What is kept of a build cannot be gone on with.
  case state(path: String, reason: String)
  /// Another process builds in the same place.
  case taken(path: String, process: Int?)
  /// A dictionary that the atlas does not have, or several that answer to a name.
  case dictionary(name: String, known: [String])
  /// A feature that a dictionary does not have.
  case feature(key: FeatureKey, limit: Int)
  /// A layer that a dictionary does not read.
  case layer(key: FeatureKey, known: [Int])
  /// An activation that is not finite.
  case notFinite(dictionary: String, feature: Int, sequence: Int, position: Int)

  public var description: String {
    switch self {
    case .option(let name, let reason): "\(name): \(reason)"
    case .file(let path, let reason), .state(let path, let reason): "\(path): \(reason)"
    case .unfinished(let path, let tokens, let planned):
      "\(path): the atlas is not finished (\(tokens) of \(planned) tokens); run the same 'gscope atlas build' again"
    case .otherSettings(let path, let key, let found, let expected):
      "\(path): holds a build with another '\(key)': \(found) there, \(expected) asked for; choose another file, or "
        + "start again with --overwrite"
    case .taken(let path, let process):
      "\(path): another process\(process.map { " (\($0))" } ?? "") is building this atlas"
    case .dictionary(let name, let known):
      "the atlas has no one dictionary '\(name)'; it has \(known.joined(separator: ", "))"
    case .feature(let key, let limit): "feature \(key): expected an index in 0..<\(limit)"
    case .layer(let key, let known):
      "feature \(key): expected one of the layers \(known.map(String.init).joined(separator: ", "))"
    case .notFinite(let dictionary, let feature, let sequence, let position):
      "\(dictionary): the activation of feature \(feature) at sequence \(sequence), position \(position) is not finite"
    }
  }
}
