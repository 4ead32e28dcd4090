/// Random numbers that a seed fixes on every machine and with every version of the standard library: SplitMix64 (Steele,
/// Lea and Flood, "Fast splittable pseudorandom number generators", 2014). The state grows by the golden ratio's fraction
/// and is mixed by two multiplications.
package struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// What the state grows by.
  package static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

  package init(seed: UInt64) { state = seed }

  /// - Parameter stream: draws of one kind, or of one text of a batch, that must not depend on the others'; 0 is the
  ///   seed's own sequence.
  package init(seed: UInt64, stream: UInt64) {
    // The stream is mixed first: seeds and streams that lie close together must not give overlapping sequences.
    state = seed ^ (stream == 0 ? 0 : Self.mixed(stream))
  }

  /// The finaliser (section 3 of the paper): a bijection of 64 bits that spreads any change over all of them, and so a
  /// hash of numbers, too.
  package static func mixed(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  package mutating func next() -> UInt64 {
    state &+= Self.step
    return Self.mixed(state)
  }

  /// A whole number in 0 ..< `count`; the bias of a 64-bit product is below count / 2⁶⁴.
  package mutating func index(below count: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(count)).high)
  }

  /// A number in 0 ..< 1 with 53 random bits.
  package mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Brings items into random order (Fisher–Yates, from the end).
  package mutating func shuffle<Item>(_ items: inout [Item]) {
    for i in stride(from: items.count - 1, to: 0, by: -1) { items.swapAt(i, index(below: i + 1)) }
  }
}
