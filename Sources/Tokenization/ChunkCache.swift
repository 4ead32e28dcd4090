/// Remembers the tokens of short chunks of text, a word with the space before it as a rule. It grows to 16 MiB; from
/// then on a chunk that needs the place of another takes it.
struct ChunkCache {
  /// Longest chunk kept, and most tokens it may have.
  static let maximumLength = 31
  static let maximumTokens = 8

  typealias Key = SIMD4<UInt64>

  /// One slot is 64 bytes: the chunk, zero-padded, with its length in the last byte, and its tokens, -1 after the last.
  private struct Slot {
    var key = Key(repeating: 0)
    var ids = SIMD8<Int32>(repeating: -1)
  }

  private static let maximumSlots = 1 << 18
  private static let masks: [Key] = (0...maximumLength).map { length in
    var mask = Key(repeating: 0)
    for word in 0..<4 {
      let bits = 8 * Swift.min(8, Swift.max(0, length - 8 * word))
      mask[word] = ~(UInt64.max << UInt64(bits))
    }
    return mask
  }

  private var slots = [Slot](repeating: Slot(), count: 1 << 10)
  private var insertions = 0
  private let masks = Self.masks

  /// The key of `text[start ..< end]`, 1 to `maximumLength` bytes.
  @inline(__always)
  func key(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Key {
    let length = end - start
    var key = Key(repeating: 0)
    if start + 32 <= text.count {
      let raw = UnsafeRawBufferPointer(text)
      for word in 0..<4 {
        key[word] = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: start + 8 * word, as: UInt64.self))
      }
      key &= masks[length]
    } else {
      for i in 0..<length { key[i >> 3] |= UInt64(text[start + i]) << UInt64(8 * (i & 7)) }
    }
    key[3] |= UInt64(length) << 56
    return key
  }

  @inline(__always)
  private func index(of key: Key) -> Int {
    var hash = key[0] &* 0x9E37_79B9_7F4A_7C15
    hash ^= key[1] &* 0xC2B2_AE3D_27D4_EB4F
    hash ^= key[2] &* 0x1656_67B1_9E37_79F9
    hash ^= key[3] &* 0x27D4_EB2F_1656_67C5
    hash ^= hash >> 32
    return Int(truncatingIfNeeded: (hash &* 0x9FB2_1C65_1E98_DF25) >> 40) & (slots.count - 1)
  }

  /// Appends the tokens of the chunk `key`, if it is known.
  @inline(__always)
  func append(_ key: Key, to out: inout [Int32]) -> Bool {
    var index = index(of: key)
    if slots[index].key != key {
      index ^= 1
      guard slots[index].key == key else { return false }
    }
    let ids = slots[index].ids
    for i in 0..<Self.maximumTokens {
      guard ids[i] >= 0 else { break }
      out.append(ids[i])
    }
    return true
  }

  /// Remembers `ids`, at most `maximumTokens`, for the chunk `key`.
  mutating func insert(_ key: Key, _ ids: ArraySlice<Int32>) {
    var slot = Slot()
    slot.key = key
    for (i, id) in ids.enumerated() { slot.ids[i] = id }
    insertions += 1
    if insertions * 2 > slots.count, slots.count < Self.maximumSlots { grow() }
    place(slot)
  }

  private mutating func place(_ slot: Slot) {
    let index = index(of: slot.key)
    slots[index ^ 1] = slots[index]
    slots[index] = slot
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: Slot(), count: old.count * 2)
    // A free slot's key is 0, which no chunk has.
    for slot in old where slot.key[3] != 0 { place(slot) }
  }
}
