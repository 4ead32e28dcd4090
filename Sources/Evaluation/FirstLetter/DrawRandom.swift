/// The random numbers behind draws of words, prompts and probes: SplitMix64 (Steele, Lea and Flood 2014). The same seed
/// and stream give the same draws on every machine and with every version of the standard library.
struct DrawRandom {
  private var state: UInt64
  private static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

  /// - Parameter stream: draws of one kind that must not depend on those of another.
  init(seed: UInt64, stream: UInt64) { state = Self.mixed(Self.mixed(seed &+ Self.step) ^ stream &* Self.step) }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  private mutating func next() -> UInt64 {
    state &+= Self.step
    return Self.mixed(state)
  }

  /// A number in −1 ..< 1.
  mutating func symmetric() -> Double { Double(next() >> 11) * 0x1p-52 - 1 }

  /// A whole number in 0 ..< `count`; the bias of a 64-bit product is below count / 2⁶⁴.
  mutating func index(below count: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(count)).high) }

  /// `items` in random order (Fisher–Yates).
  mutating func shuffled<Item>(_ items: [Item]) -> [Item] {
    var items = items
    for i in stride(from: items.count - 1, to: 0, by: -1) { items.swapAt(i, index(below: i + 1)) }
    return items
  }
}
