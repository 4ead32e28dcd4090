/// A file of tensors that cannot be read or written as asked.
public enum CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
  /// `file` could not be opened or mapped.
  case unreadable(file: String, reason: String)
  /// `file` could not be created, filled or put in place; nothing of it was left behind.
  case unwritable(file: String, reason: String)
  /// The bytes of `file` break its format.
  case malformed(file: String, reason: String)
  /// What `file` says of `tensor` cannot be true.
  case invalidTensor(file: String, tensor: String, reason: String)
  /// `file` holds no `tensor`.
  case missingTensor(file: String, tensor: String)
  /// `tensor` is stored in a way that is known but not read here.
  case unsupported(file: String, tensor: String, found: String, expected: String)
  /// `file` says nothing under the metadata key `key`.
  case missingKey(file: String, key: String, expected: String)
  /// The metadata key `key` of `file` holds another type of value.
  case wrongType(file: String, key: String, expected: String, found: String)
  /// Memory for a copy of `tensor` could not be had.
  case outOfMemory(file: String, tensor: String, bytes: Int)

  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): \(reason)"
    case .unwritable(let file, let reason): "\(file): cannot be written: \(reason)"
    case .malformed(let file, let reason): "\(file): \(reason.clipped)"
    case .invalidTensor(let file, let tensor, let reason):
      "\(file): tensor '\(tensor.clipped)': \(reason.clipped)"
    case .missingTensor(let file, let tensor): "\(file): no tensor '\(tensor.clipped)'"
    case .unsupported(let file, let tensor, let found, let expected):
      "\(file): tensor '\(tensor.clipped)': \(found.clipped) is not supported, expected \(expected)"
    case .missingKey(let file, let key, let expected):
      "\(file): no metadata key '\(key.clipped)', expected \(expected)"
    case .wrongType(let file, let key, let expected, let found):
      "\(file): metadata key '\(key.clipped)' is \(found), expected \(expected)"
    case .outOfMemory(let file, let tensor, let bytes):
      "\(file): tensor '\(tensor.clipped)': out of memory: \(bytes) bytes could not be allocated"
    }
  }
}
