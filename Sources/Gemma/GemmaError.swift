/// Why a model cannot be loaded or run as asked.
public enum GemmaError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A configuration field that is missing, of the wrong kind, or at odds with another; `field` is its full name.
  case configuration(file: String, field: String, problem: String)
  /// A path that holds no model this program reads.
  case notAModel(path: String, reason: String)
  /// A weight whose shape does not fit the configuration.
  case weight(file: String, name: String, expected: [Int], found: [Int])
  /// Input that the model cannot take: no tokens, an id outside the vocabulary, too many positions.
  case input(String)
  /// An intervention that cannot be carried out; `index` is its place in the list.
  case intervention(index: Int, problem: String)
  /// A gradient asked for between sites that are not in model order.
  case gradient(String)

  public var description: String {
    switch self {
    case .configuration(let file, let field, let problem): "\(file): '\(field)' \(problem)"
    case .notAModel(let path, let reason): "\(path): \(reason)"
    case .weight(let file, let name, let expected, let found):
      "\(file): weight '\(name)': expected shape \(expected), found \(found)"
    case .input(let problem): problem
    case .intervention(let index, let problem): "intervention \(index): \(problem)"
    case .gradient(let problem): problem
    }
  }
}
