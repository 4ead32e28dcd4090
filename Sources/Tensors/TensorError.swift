/// A tensor operation that cannot be done as asked.
public enum TensorError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Shapes that do not fit `operation`.
  case shape(operation: String, expected: String, found: String)
  /// An element type that `operation` does not take.
  case dtype(operation: String, expected: String, found: DType)
  /// A row, token or position outside its range.
  case outOfRange(operation: String, value: Int, limit: Int)
  /// A position that a sliding window has dropped; `first` is the first one still held.
  case dropped(position: Int, first: Int)
  /// Memory for `bytes` more bytes could not be had.
  case outOfMemory(bytes: Int)
  /// A file that could not be opened or mapped.
  case file(path: String, reason: String)
  /// A backend or instruction set this machine or build does not have.
  case unavailable(String)

  public var description: String {
    switch self {
    case .shape(let operation, let expected, let found): "\(operation): expected \(expected), found \(found)"
    case .dtype(let operation, let expected, let found): "\(operation): expected \(expected) elements, found \(found)"
    case .outOfRange(let operation, let value, let limit): "\(operation): \(value) is outside 0..<\(limit)"
    case .dropped(let position, let first):
      "position \(position) is needed again, but the sliding window has dropped those before \(first)"
    case .outOfMemory(let bytes): "out of memory: \(bytes) bytes could not be allocated"
    case .file(let path, let reason): "\(path): \(reason)"
    case .unavailable(let what): what
    }
  }
}
