/// What a JSON text did wrong, and where.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Byte offset of the fault.
  public let offset: Int
  public let message: String

  public init(offset: Int, message: String) {
    self.offset = offset
    self.message = message
  }

  public var description: String { "\(message) at byte \(offset)" }
}
