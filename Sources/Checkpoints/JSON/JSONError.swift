/// What a JSON text did wrong, and where.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Byte offset of the fault.
  public let offset: Int
  /// What was found there and what was expected instead.
  public let message: String

  /// A fault `message` at byte `offset`.
  public init(offset: Int, message: String) {
    self.offset = offset
    self.message = message
  }

  public var description: String { "\(message) at byte \(offset)" }
}
