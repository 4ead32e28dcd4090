/// The random numbers behind sampling: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014). The state grows by the golden ratio's fraction and is mixed by two multiplications; the same
/// seed and stream give the same numbers on every machine.
package struct SamplingRandom: Sendable {
  private var state: UInt64
  private static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

  /// - Parameter stream: sequences of a batch draw from streams of their own, so that a text does not depend on the
  ///   ones beside it.
  package init(seed: UInt64, stream: UInt64) {
    // The stream is mixed first: seeds and streams that lie close together must not give overlapping sequences.
    state = seed ^ (stream == 0 ? 0 : Self.mix(stream))
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  package mutating func next() -> UInt64 {
    state &+= Self.step
    return Self.mix(state)
  }

  /// A number in 0 ..< 1 with 53 random bits.
  package mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
