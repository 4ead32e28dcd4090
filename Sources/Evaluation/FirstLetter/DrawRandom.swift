import Tensors

/// The random numbers behind draws of words, prompts and probes. The same seed and stream give the same draws
/// everywhere.
struct DrawRandom {
  private var numbers: SplitMix64

  /// - Parameter stream: draws of one kind that must not depend on those of another.
  init(seed: UInt64, stream: UInt64) {
    let start = SplitMix64.mixed(seed &+ SplitMix64.step) ^ stream &* SplitMix64.step
    numbers = SplitMix64(seed: SplitMix64.mixed(start))
  }

  /// A number in −1 ..< 1.
  mutating func symmetric() -> Double { 2 * numbers.unit() - 1 }

  /// A whole number in 0 ..< `count`.
  mutating func index(below count: Int) -> Int { numbers.index(below: count) }

  /// `items` in random order.
  mutating func shuffled<Item>(_ items: [Item]) -> [Item] {
    var items = items
    numbers.shuffle(&items)
    return items
  }
}
