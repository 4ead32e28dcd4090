import Tensors

/// An order of choices that depends on nothing but a seed and names: the same on every machine, for any thread count
/// and whatever else is chosen.
struct ChoiceOrder: Sendable {
  private let start: UInt64

  /// The order of one choice, such as the negatives of one feature's test.
  init(seed: UInt64, _ names: String...) {
    // FNV-1a over the names, each ended by a byte that UTF-8 does not have.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ SplitMix64.mixed(seed &+ SplitMix64.step)
    for name in names {
      for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
      hash = (hash ^ 0xFF) &* 0x100_0000_01B3
    }
    start = SplitMix64.mixed(hash)
  }

  /// A number for item `index`.
  func number(_ index: Int) -> UInt64 {
    SplitMix64.mixed(start &+ UInt64(truncatingIfNeeded: index) &* SplitMix64.step)
  }

  /// `items` in random order.
  func shuffled<Item>(_ items: [Item]) -> [Item] {
    items.indices.map { ($0, number($0)) }.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.map { items[$0.0] }
  }
}
