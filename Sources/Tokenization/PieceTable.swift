/// The pieces of a vocabulary, by id and by bytes: one run of UTF-8 with offsets, and an open-addressing index over it.
///
/// Pieces are bytes and never `String` keys, whose equality is canonical equivalence: Gemma tells `à` from `a` and
/// U+0300.
struct PieceTable: Sendable {
  /// More ids than any Gemma has by a factor of 16, few enough that a lying file cannot ask for much memory.
  static let maximumCount = 1 << 22

  /// Where a piece lies in `blob`. No piece has length 0, so that stands for an id without one.
  private struct Place: Sendable {
    var start: UInt32 = 0
    var length: UInt32 = 0
  }

  private var blob: [UInt8] = []
  private var places: [Place] = []
  private var hashes: [UInt64] = []
  /// High half: part of the hash. Low half: id + 1, or 0 where free.
  private var slots: [UInt64] = Array(repeating: 0, count: 1024)
  private var inserted = 0

  /// One more than the highest id.
  var count: Int { places.count }

  init(capacity: Int = 0) {
    guard capacity > 512, capacity <= Self.maximumCount else { return }
    slots = Array(repeating: 0, count: capacity.nextPowerOf2 * 2)
  }

  enum Insertion {
    case done
    case duplicatePiece(Int32)
    case duplicateID, tooLarge, empty
  }

  /// Adds a piece; `id` must be in 0 ..< `maximumCount`.
  mutating func insert(_ bytes: UnsafeBufferPointer<UInt8>, id: Int) -> Insertion {
    guard !bytes.isEmpty else { return .empty }
    guard blob.count + bytes.count < Int(UInt32.max) else { return .tooLarge }
    if id < count, places[id].length != 0 { return .duplicateID }
    let hash = PieceHash.of(bytes)
    if let existing = find(bytes, hash: hash) { return .duplicatePiece(existing) }
    while places.count <= id {
      places.append(Place())
      hashes.append(0)
    }
    places[id] = Place(start: UInt32(blob.count), length: UInt32(bytes.count))
    hashes[id] = hash
    blob.append(contentsOf: bytes)
    inserted += 1
    if inserted * 2 > slots.count { grow() }
    place(id, hash)
    return .done
  }

  /// The lowest id in 0 ..< `count` without a piece.
  var firstGap: Int? { inserted == count ? nil : places.firstIndex { $0.length == 0 } }

  @inline(__always)
  func length(_ id: Int32) -> Int { Int(places[Int(id)].length) }

  @inline(__always)
  private func range(_ id: Int32) -> Range<Int> {
    let place = places[Int(id)]
    return Int(place.start)..<Int(place.start) + Int(place.length)
  }

  @inline(__always)
  func withBytes<R>(_ id: Int32, _ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
    try blob.withUnsafeBufferPointer { try body(UnsafeBufferPointer(rebasing: $0[range(id)])) }
  }

  func bytes(_ id: Int32) -> ArraySlice<UInt8> { blob[range(id)] }

  /// Whether `id` exists and is spelled `bytes`.
  @inline(__always)
  func matches(_ id: Int32, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    guard id >= 0, id < count, length(id) == bytes.count else { return false }
    return withBytes(id) { piece in
      for i in 0..<piece.count where piece[i] != bytes[i] { return false }
      return true
    }
  }

  func find(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32? { find(bytes, hash: PieceHash.of(bytes)) }

  func find(_ text: String) -> Int32? {
    var text = text
    return text.withUTF8 { find($0) }
  }

  private func find(_ bytes: UnsafeBufferPointer<UInt8>, hash: UInt64) -> Int32? {
    candidate(hash) { matches($0, bytes) }
  }

  /// The piece that is `left` followed by `right`, given `powers` up to the longest piece.
  @inline(__always)
  func join(_ left: Int32, _ right: Int32, powers: [UInt64]) -> Int32? {
    let shifted = PieceHash.multiply(hashes[Int(left)], powers[length(right)])
    let hash = PieceHash.reduce(shifted &+ hashes[Int(right)])
    return candidate(hash) { id in
      let whole = range(id)
      let first = range(left)
      let second = range(right)
      guard whole.count == first.count + second.count else { return false }
      return blob.withUnsafeBufferPointer { blob in
        let middle = whole.lowerBound + first.count
        for i in 0..<first.count where blob[whole.lowerBound + i] != blob[first.lowerBound + i] { return false }
        for i in 0..<second.count where blob[middle + i] != blob[second.lowerBound + i] { return false }
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
    for id in 0..<count where places[id].length != 0 { place(id, hashes[id]) }
  }
}
