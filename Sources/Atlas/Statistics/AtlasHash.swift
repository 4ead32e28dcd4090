import Tensors

/// Hashes that are the same in every process and on every machine; they choose samples whatever the order of the work.
enum AtlasHash {
  static func mixed(_ value: UInt64) -> UInt64 { SplitMix64.mixed(value &+ SplitMix64.step) }

  /// A hash of numbers in their order.
  static func of(_ seed: UInt64, _ numbers: Int...) -> UInt64 {
    numbers.reduce(mixed(seed)) { mixed($0 ^ UInt64(bitPattern: Int64($1))) }
  }
}
