/// The pieces of a vocabulary, by id and by bytes: one run of UTF-8 with offsets, and an open-addressing index over it.
///
/// Pieces are bytes and never `String` keys, whose equality is canonical equivalence: Gemma tells `à` from `a` + U+0300.
struct PieceTable: Sendable {
  /// More ids than any Gemma has by a factor of 16, few enough that a lying file cannot ask for much memory.
  static let maximumCount = 1 << 22
  private static let absent = UInt32.max

  private(set) var blob: [UInt8] = []
  private var starts: [UInt32] = []
  private var lengths: [UInt32] = []
  private(set) var hashes: [UInt64] = []
  /// High half: part of the hash. Low half: id + 1, or 0 where free.
  private var slots: [UInt64] = Array(repeating: 0, count: 1024)
  private(set) var inserted = 0

  /// One more than the highest id.
  var count: Int { starts.count }

  init(capacity: Int = 0) {
    guard capacity > 512, capacity <= Self.maximumCount else { return }
    slots = Array(repeating: 0, count: capacity.nextPowerOf2 * 2)
  }

  enum Insertion { case done, duplicatePiece(Int32), duplicateID, tooLarge, empty }

  /// Adds a piece; `id` must be in 0 ..< `maximumCount`.
  mutating func insert(_ bytes: UnsafeBufferPointer<UInt8>, id: Int) -> Insertion {
    guard !bytes.isEmpty else { return .empty }
    guard blob.count + bytes.count < Int(UInt32.max) else { return .tooLarge }
    if id < count, lengths[id] != Self.absent { return .duplicateID }
    let hash = PieceHash.of(bytes)
    if let existing = find(bytes, hash: hash) { return .duplicatePiece(existing) }
    while starts.count <= id {
      starts.append(0)
      lengths.append(Self.absent)
      hashes.append(0)
    }
    starts[id] = UInt32(blob.count)
    lengths[id] = UInt32(bytes.count)
    hashes[id] = hash
    blob.append(contentsOf: bytes)
    inserted += 1
    if inserted * 2 > slots.count { grow() }
    place(id, hash)
    return .done
  }

  /// The lowest id in 0 ..< `count` without a piece.
  var firstGap: Int? { inserted == count ? nil : lengths.firstIndex(of: Self.absent) }

  @inline(__always)
  func length(_ id: Int32) -> Int { Int(lengths[Int(id)]) }

  @inline(__always)
  func withBytes<R>(_ id: Int32, _ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
    let start = Int(starts[Int(id)])
    let range = start..<start + length(id)
    return try blob.withUnsafeBufferPointer { try body(UnsafeBufferPointer(rebasing: $0[range])) }
  }

  func bytes(_ id: Int32) -> ArraySlice<UInt8> {
    let start = Int(starts[Int(id)])
    return blob[start..<start + length(id)]
  }

  func find(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32? { find(bytes, hash: PieceHash.of(bytes)) }

  func find(_ text: String) -> Int32? {
    var text = text
    return text.withUTF8 { find($0) }
  }

  private func find(_ bytes: UnsafeBufferPointer<UInt8>, hash: UInt64) -> Int32? {
    candidate(hash) { id in length(id) == bytes.count && withBytes(id) { $0.elementsEqual(bytes) } }
  }

  /// The piece that is `left` followed by `right`, given `powers` up to the longest piece.
  @inline(__always)
  func join(_ left: Int32, _ right: Int32, powers: [UInt64]) -> Int32? {
    let rightLength = length(right)
    let shifted = PieceHash.multiply(hashes[Int(left)], powers[rightLength])
    let hash = PieceHash.reduce(shifted &+ hashes[Int(right)])
    return candidate(hash) { id in
      let leftLength = length(left)
      guard length(id) == leftLength + rightLength else { return false }
      return blob.withUnsafeBufferPointer { blob in
        let whole = Int(starts[Int(id)])
        let first = Int(starts[Int(left)])
        let second = Int(starts[Int(right)])
        for i in 0..<leftLength where blob[whole + i] != blob[first + i] { return false }
        for i in 0..<rightLength where blob[whole + leftLength + i] != blob[second + i] { return false }
        return true
      }
    }
  }

  @inline(__always)
  private func candidate(_ hash: UInt64, _ matches: (Int32) -> Bool) -> Int32? {
    let mixed = Self.mix(hash)
    let mask = slots.count - 1
    var index = Int(truncatingIfNeeded: mixed) & mask
    while slots[index] != 0 {
      let slot = slots[index]
      if slot >> 32 == mixed >> 32 {
        let id = Int32(truncatingIfNeeded: slot) - 1
        if matches(id) { return id }
      }
      index = (index + 1) & mask
    }
    return nil
  }

  @inline(__always)
  private static func mix(_ hash: UInt64) -> UInt64 {
    let product = hash &* 0x9E37_79B9_7F4A_7C15
    return product ^ product >> 29
  }

  private mutating func place(_ id: Int, _ hash: UInt64) {
    let mixed = Self.mix(hash)
    let mask = slots.count - 1
    var index = Int(truncatingIfNeeded: mixed) & mask
    while slots[index] != 0 { index = (index + 1) & mask }
    slots[index] = (mixed >> 32) << 32 | UInt64(id + 1)
  }

  private mutating func grow() {
    slots = Array(repeating: 0, count: slots.count * 2)
    for id in 0..<count where lengths[id] != Self.absent { place(id, hashes[id]) }
  }
}
