import Tensors

/// The order of the rows of a window: a pure function of (seed, window index, size).
package struct TokenShuffle {
  /// Where the rows go, in the order in which they come: a permutation of 0 ..< count.
  package let places: [Int32]

  package init(seed: UInt64, window: Int, count: Int) {
    var places = (0..<Int32(clamping: count)).map { $0 }
    let ofWindow = SplitMix64.mixed(UInt64(bitPattern: Int64(window)) &+ 0x2545_F491)
    var numbers = SplitMix64(seed: SplitMix64.mixed(seed &+ SplitMix64.step) ^ ofWindow)
    numbers.shuffle(&places)
    self.places = places
  }
}
