/// A tokenizer that cannot be loaded, or input that it cannot take.
public enum TokenizerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file that cannot be read, or that is not JSON.
  case file(path: String, reason: String)
  /// A `field` of a tokenizer file whose value is wrong or contradicts another.
  case invalid(file: String, field: String, reason: String)
  /// A `field` of a tokenizer file that is sound but is not what Gemma's tokenizers use.
  case unsupported(file: String, field: String, expected: String, found: String)
  /// A token id that the vocabulary does not have.
  case idOutOfRange(id: Int32, vocabularySize: Int)
  /// A conversation that Gemma's chat template refuses; `location` names the message or key.
  case chat(location: String, reason: String)

  public var description: String {
    switch self {
    case .file(let path, let reason): "\(path): \(reason)"
    case .invalid(let file, let field, let reason): "\(file): \(field): \(reason)"
    case .unsupported(let file, let field, let expected, let found):
      "\(file): \(field): expected \(expected), found \(found)"
    case .idOutOfRange(let id, let size): "token id \(id) is outside the vocabulary of \(size)"
    case .chat(let location, let reason): "chat: \(location): \(reason)"
    }
  }
}
