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
    case .malformed(let file, let reason): "\(file): \(Self.clipped(reason))"
    case .invalidTensor(let file, let tensor, let reason):
      "\(file): tensor '\(Self.clipped(tensor))': \(Self.clipped(reason))"
    case .missingTensor(let file, let tensor): "\(file): no tensor '\(Self.clipped(tensor))'"
    case .unsupported(let file, let tensor, let found, let expected):
      "\(file): tensor '\(Self.clipped(tensor))': \(Self.clipped(found)) is not supported, expected \(expected)"
    case .missingKey(let file, let key, let expected):
      "\(file): no metadata key '\(Self.clipped(key))', expected \(expected)"
    case .wrongType(let file, let key, let expected, let found):
      "\(file): metadata key '\(Self.clipped(key))' is \(found), expected \(expected)"
    case .outOfMemory(let file, let tensor, let bytes):
      "\(file): tensor '\(Self.clipped(tensor))': out of memory: \(bytes) bytes could not be allocated"
    }
  }

  /// Names come from files: they may be megabytes long, or steer the terminal they are shown on. A message shows their
  /// beginning, without control characters.
  private static func clipped(_ text: String) -> String {
    var shown = ""
    for scalar in text.unicodeScalars.prefix(500) {
      shown.unicodeScalars.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
    }
    return text.unicodeScalars.dropFirst(500).isEmpty ? shown : shown + "…"
  }
}
