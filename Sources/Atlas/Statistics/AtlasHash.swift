/// Hashes that are the same in every process and on every machine; they choose samples whatever the order of the work.
enum AtlasHash {
  /// The finaliser of SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators",
  /// section 3).
  static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A hash of numbers in their order.
  static func of(_ seed: UInt64, _ numbers: Int...) -> UInt64 {
    numbers.reduce(mixed(seed)) { mixed($0 ^ UInt64(bitPattern: Int64($1))) }
  }
}
