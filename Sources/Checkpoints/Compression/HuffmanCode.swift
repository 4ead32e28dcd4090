/// A canonical Huffman code (RFC 1951 §3.2.2): short codes are looked up, longer ones found bit by bit.
struct HuffmanCode {
  /// Bits of the lookup table's index.
  static let fastBits = 10
  static let maximumLength = 15

  /// For each pattern of the next `fastBits` bits: code length << 9 | symbol, or 0 where the code is longer.
  private var fast: [UInt16]
  /// Number of codes of each length, and the symbols in the order of their codes.
  private var counts: [Int]
  private var symbols: [UInt16]

  /// The code whose symbol `i` takes `lengths[i]` bits (0: absent; at most 15).
  ///
  /// Returns nil when the lengths describe no prefix code: over-subscribed, or with patterns left over. As in zlib, a
  /// code without symbols or with a single one of one bit may leave patterns over where `allowsPartial`.
  init?(_ lengths: some Collection<UInt8>, allowsPartial: Bool) {
    fast = [UInt16](repeating: 0, count: 1 << Self.fastBits)
    counts = [Int](repeating: 0, count: Self.maximumLength + 1)
    for length in lengths { counts[Int(length)] += 1 }
    counts[0] = 0

    var firstCode = [Int](repeating: 0, count: Self.maximumLength + 2)
    var firstSymbol = firstCode
    var left = 1
    for length in 1...Self.maximumLength {
      left = left * 2 - counts[length]
      guard left >= 0 else { return nil }
      firstCode[length + 1] = (firstCode[length] + counts[length]) << 1
      firstSymbol[length + 1] = firstSymbol[length] + counts[length]
    }
    let used = firstSymbol[Self.maximumLength + 1]
    guard left == 0 || allowsPartial && (used == 0 || used == 1 && counts[1] == 1) else { return nil }

    symbols = [UInt16](repeating: 0, count: used)
    for (symbol, length) in lengths.enumerated() where length > 0 {
      let length = Int(length)
      let code = firstCode[length]
      firstCode[length] += 1
      symbols[firstSymbol[length]] = UInt16(symbol)
      firstSymbol[length] += 1
      guard length <= Self.fastBits else { continue }
      // Codes come highest bit first, the stream lowest bit first; the index's spare upper bits may be anything.
      var index = Self.reversed(code, length)
      while index < fast.count {
        fast[index] = UInt16(length << 9 | symbol)
        index += 1 << length
      }
    }
  }

  private static func reversed(_ code: Int, _ length: Int) -> Int {
    var code = code
    var result = 0
    for _ in 0..<length {
      result = result << 1 | code & 1
      code >>= 1
    }
    return result
  }

  /// The symbol whose code `bits` begins with (lowest bit first) and the code's length, or nil when there is none.
  @inline(__always)
  func decode(_ bits: UInt64) -> (symbol: Int, length: Int)? {
    let entry = Int(fast[Int(bits & (1 << UInt64(Self.fastBits) - 1))])
    return entry != 0 ? (entry & 0x1FF, entry >> 9) : decodeLong(bits)
  }

  private func decodeLong(_ bits: UInt64) -> (symbol: Int, length: Int)? {
    var code = 0
    var first = 0
    var index = 0
    for length in 1...Self.maximumLength {
      code = code << 1 | Int(bits >> UInt64(length - 1) & 1)
      let count = counts[length]
      if code - first < count { return (Int(symbols[index + code - first]), length) }
      index += count
      first = (first + count) << 1
    }
    return nil
  }
}
