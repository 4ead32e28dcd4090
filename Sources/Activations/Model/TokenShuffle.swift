/// The order of the rows of a window: a pure function of (seed, window index, size).
package struct TokenShuffle {
  /// Where the rows go, in the order in which they come: a permutation of 0 ..< count.
  package let places: [Int32]

  package init(seed: UInt64, window: Int, count: Int) {
    var places = (0..<Int32(clamping: count)).map { $0 }
    var state = Self.mixed(seed &+ 0x9E37_79B9_7F4A_7C15) ^ Self.mixed(UInt64(bitPattern: Int64(window)) &+ 0x2545_F491)
    // Fisher–Yates; the bias of a 64-bit product below 2³¹ rows is under 2⁻³³.
    for i in stride(from: places.count - 1, to: 0, by: -1) {
      state &+= 0x9E37_79B9_7F4A_7C15
      let j = Int(Self.mixed(state).multipliedFullWidth(by: UInt64(i + 1)).high)
      places.swapAt(i, j)
    }
    self.places = places
  }

  /// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
  static func mixed(_ x: UInt64) -> UInt64 {
    var z = x
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
