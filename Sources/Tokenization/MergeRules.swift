/// Which neighbouring tokens join, into what, and in which order.
enum MergeRules: Sendable {
  /// What a pair becomes; the lowest rank joins first.
  struct Merge {
    let rank: UInt32
    let product: Int32
    static let none = Merge(rank: .max, product: -1)
  }

  /// The merges listed in a `tokenizer.json`, ranked as listed.
  case table(MergeTable)
  /// The merges implied by a vocabulary without a list: a pair joins where its concatenation is a piece, lower ids
  /// first, then the longer left part. This is the order of the list that Hugging Face derives from a Gemma GGUF.
  case concatenation(powers: [UInt64])

  /// The longest piece `concatenation` can rank, and with `PieceTable.maximumCount` what fits 32 bits.
  static let maximumLength = 1023
}

/// Merges of two tokens by open addressing.
struct MergeTable: Sendable {
  private struct Slot: Sendable {
    var pair: UInt64
    var rank: UInt32
    var product: Int32
  }

  private static let free = UInt64.max
  private var slots: [Slot] = []

  /// The merges in the order of their ranks.
  /// - Returns: nil with the index of the second of two equal pairs in `duplicate`.
  init?(pairs: [UInt64], products: [Int32], duplicate: inout Int) {
    let capacity = max(16, pairs.count.nextPowerOf2 * 2)
    slots = Array(repeating: Slot(pair: Self.free, rank: .max, product: -1), count: capacity)
    let mask = capacity - 1
    for (rank, pair) in pairs.enumerated() {
      var index = Self.hash(pair) & mask
      while slots[index].pair != Self.free {
        guard slots[index].pair != pair else {
          duplicate = rank
          return nil
        }
        index = (index + 1) & mask
      }
      slots[index] = Slot(pair: pair, rank: UInt32(rank), product: products[rank])
    }
  }

  static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private static func hash(_ pair: UInt64) -> Int {
    let product = pair &* 0x9E37_79B9_7F4A_7C15
    return Int(truncatingIfNeeded: product >> 32 ^ product >> 11)
  }

  @inline(__always)
  subscript(_ left: Int32, _ right: Int32) -> MergeRules.Merge {
    let pair = Self.pair(left, right)
    let mask = slots.count - 1
    var index = Self.hash(pair) & mask
    while true {
      let slot = slots[index]
      if slot.pair == pair {
        return slot.product < 0 ? .none : MergeRules.Merge(rank: slot.rank, product: slot.product)
      }
      if slot.pair == Self.free { return .none }
      index = (index + 1) & mask
    }
  }
}

extension Int {
  /// The smallest power of two that is not less; 1 for 0.
  var nextPowerOf2: Int { self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}
