/// Joins neighbouring tokens until no merge applies, always the lowest rank first, then the leftmost. Holds the memory
/// that this takes, for use again.
struct BytePairMerger {
  private static let none = UInt32.max
  /// Below this many tokens a scan for the lowest rank beats a heap.
  private static let smallCount = 32

  /// The tokens to merge, which the caller fills.
  var ids: [Int32] = []
  /// For each token, the rank and product of its merge with the token after it.
  private var ranks: [UInt32] = []
  private var products: [Int32] = []
  private var previous: [Int32] = []
  private var next: [Int32] = []
  /// rank << 32 | position, a binary heap with the least on top. Entries whose rank is no longer the position's are
  /// stale and are passed over.
  private var heap: [UInt64] = []
  private var memo = MergeMemo()

  /// How many tokens the memory held has room for.
  var capacity: Int { max(ids.capacity, ranks.capacity, previous.capacity, heap.capacity) }

  /// Appends the result to `out` and empties `ids`.
  mutating func run(_ model: BytePairModel, into out: inout [Int32]) {
    if ids.count < Self.smallCount { runSmall(model) } else { runLarge(model) }
    out.append(contentsOf: ids)
    ids.removeAll(keepingCapacity: true)
  }

  private mutating func rankAll(_ model: BytePairModel) {
    ranks.removeAll(keepingCapacity: true)
    products.removeAll(keepingCapacity: true)
    for i in 0..<ids.count {
      let merge = i + 1 < ids.count ? memo.merge(ids[i], ids[i + 1], model) : .none
      ranks.append(merge.rank)
      products.append(merge.product)
    }
  }

  private mutating func runSmall(_ model: BytePairModel) {
    rankAll(model)
    var count = ids.count
    ids.withUnsafeMutableBufferPointer { ids in
      ranks.withUnsafeMutableBufferPointer { ranks in
        products.withUnsafeMutableBufferPointer { products in
          while true {
            var best = 0
            var lowest = Self.none
            for i in 0..<count where ranks[i] < lowest {
              lowest = ranks[i]
              best = i
            }
            guard lowest != Self.none else { return }
            ids[best] = products[best]
            count -= 1
            var i = best + 1
            while i < count {
              ids[i] = ids[i + 1]
              ranks[i] = ranks[i + 1]
              products[i] = products[i + 1]
              i += 1
            }
            for i in max(best - 1, 0)...best {
              let merge = i + 1 < count ? memo.merge(ids[i], ids[i + 1], model) : .none
              ranks[i] = merge.rank
              products[i] = merge.product
            }
          }
        }
      }
    }
    ids.removeLast(ids.count - count)
  }

  @inline(__always)
  private mutating func rank(_ position: Int, followedBy following: Int, _ model: BytePairModel) {
    let merge = following < ids.count ? memo.merge(ids[position], ids[following], model) : .none
    ranks[position] = merge.rank
    products[position] = merge.product
  }

  private mutating func runLarge(_ model: BytePairModel) {
    rankAll(model)
    let count = ids.count
    previous.removeAll(keepingCapacity: true)
    next.removeAll(keepingCapacity: true)
    heap.removeAll(keepingCapacity: true)
    for i in 0..<count {
      previous.append(Int32(i) - 1)
      next.append(Int32(i) + 1)
      if ranks[i] != Self.none { push(i) }
    }
    while let top = pop() {
      let position = Int(top & 0xFFFF_FFFF)
      guard ranks[position] == UInt32(top >> 32) else { continue }
      let absorbed = Int(next[position])
      let following = Int(next[absorbed])
      ids[position] = products[position]
      ranks[absorbed] = Self.none
      ids[absorbed] = -1
      next[position] = Int32(following)
      if following < count { previous[following] = Int32(position) }
      rank(position, followedBy: following, model)
      if ranks[position] != Self.none { push(position) }
      let before = Int(previous[position])
      if before >= 0 {
        rank(before, followedBy: position, model)
        if ranks[before] != Self.none { push(before) }
      }
    }
    ids.removeAll { $0 < 0 }
  }

  private mutating func push(_ position: Int) {
    let entry = UInt64(ranks[position]) << 32 | UInt64(position)
    heap.append(entry)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entry < heap[parent] else { break }
      heap[child] = heap[parent]
      child = parent
    }
    heap[child] = entry
  }

  private mutating func pop() -> UInt64? {
    guard let top = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return top }
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      guard heap[child] < last else { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = last
    return top
  }
}

/// The merges looked up last, in memory small enough to stay in the processor's own cache.
private struct MergeMemo {
  private struct Slot {
    var pair = UInt64.max
    var merge = MergeRules.Merge.none
  }

  private static let bits = 14
  private var slots = [Slot](repeating: Slot(), count: 1 << bits)

  @inline(__always)
  mutating func merge(_ left: Int32, _ right: Int32, _ model: BytePairModel) -> MergeRules.Merge {
    let pair = MergeTable.pair(left, right)
    let index = Int(truncatingIfNeeded: (pair &* 0x9E37_79B9_7F4A_7C15) >> (64 - UInt64(Self.bits)))
    if slots[index].pair == pair { return slots[index].merge }
    let merge = model.merge(left, right)
    slots[index] = Slot(pair: pair, merge: merge)
    return merge
  }
}
