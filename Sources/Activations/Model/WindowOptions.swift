/// How a stream is shuffled.
public struct WindowOptions: Codable, Equatable, Sendable {
  /// How a window is held in memory.
  public enum Storage: String, Codable, Sendable {
    case fp32
    /// Half the memory; what is read from a store of bf16 loses nothing by it.
    case bf16
  }

  /// Rows of a window: memory is rows × widths × 4 bytes (2 for bf16). Every window but the last has so many.
  public var rows: Int
  public var seed: UInt64
  public var storage: Storage

  public init(rows: Int = 131_072, seed: UInt64 = 0, storage: Storage = .fp32) {
    self.rows = rows
    self.seed = seed
    self.storage = storage
  }

  func validate() throws {
    guard 1...Int(Int32.max) ~= rows else {
      throw ActivationError.option(name: "window", reason: "is \(rows) rows, expected 1 to \(Int32.max)")
    }
  }
}
