/// The added tokens, found in raw text before anything else: leftmost first, longest of those that begin there.
struct AddedTokenTrie: Sendable {
  /// Edges by open addressing, node << 8 | byte -> child; 0 where free, as no edge leads back to the root.
  private var edges: [UInt64] = Array(repeating: 0, count: 64)
  private var terminals: [Int32] = [-1]

  /// `pieces` in UTF-8, none empty.
  init(_ tokens: [Int32], pieces: PieceTable) {
    for id in tokens { pieces.withBytes(id) { insert($0, id) } }
  }

  private mutating func insert(_ bytes: UnsafeBufferPointer<UInt8>, _ id: Int32) {
    var node = 0
    for byte in bytes {
      if let next = child(node, byte) {
        node = next
        continue
      }
      if terminals.count * 2 >= edges.count { grow() }
      place(UInt64(node) << 8 | UInt64(byte), terminals.count)
      node = terminals.count
      terminals.append(-1)
    }
    terminals[node] = id
  }

  /// Whether some token begins with `byte`.
  func begins(with byte: UInt8) -> Bool { child(0, byte) != nil }

  /// The longest token at `start` that `allowed` lets pass, and its length.
  @inline(__always)
  func match(
    _ text: UnsafeBufferPointer<UInt8>, at start: Int, allowed: (Int32) -> Bool
  ) -> (id: Int32, length: Int)? {
    var best: (id: Int32, length: Int)?
    var node = 0
    var index = start
    while index < text.count, let next = child(node, text[index]) {
      node = next
      index += 1
      if terminals[node] >= 0, allowed(terminals[node]) { best = (terminals[node], index - start) }
    }
    return best
  }

  /// Edges are packed as (node << 8 | byte) << 24 | child: 2^24 nodes are more than any file below 2^24 bytes of
  /// added tokens can make, which the reader checks.
  @inline(__always)
  private func child(_ node: Int, _ byte: UInt8) -> Int? {
    let key = UInt64(node) << 8 | UInt64(byte)
    let mask = edges.count - 1
    var index = Self.hash(key) & mask
    while edges[index] != 0 {
      if edges[index] >> 24 == key { return Int(edges[index] & 0xFF_FFFF) }
      index = (index + 1) & mask
    }
    return nil
  }

  static let maximumBytes = (1 << 24) - 1

  @inline(__always)
  private static func hash(_ key: UInt64) -> Int { Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 40) }

  private mutating func place(_ key: UInt64, _ child: Int) {
    let mask = edges.count - 1
    var index = Self.hash(key) & mask
    while edges[index] != 0 { index = (index + 1) & mask }
    edges[index] = key << 24 | UInt64(child)
  }

  private mutating func grow() {
    let old = edges
    edges = Array(repeating: 0, count: old.count * 2)
    for edge in old where edge != 0 { place(edge >> 24, Int(edge & 0xFF_FFFF)) }
  }
}
