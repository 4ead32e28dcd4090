/// SHA-256 (FIPS 180-4), to tell files of weights apart; nothing secret passes through it. Foundation has none on
/// Linux, and the package that has one brings a large C++ library along.
struct SHA256 {
  private static let blockSize = 64
  /// Section 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes.
  private static let constants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
  ]

  private var state: SIMD8<UInt32> = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  /// Bytes that do not fill a block yet.
  private var pending: [UInt8] = []
  private var byteCount: UInt64 = 0
  private var schedule = [UInt32](repeating: 0, count: blockSize)

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    byteCount += UInt64(bytes.count)
    var start = 0
    if !pending.isEmpty {
      start = min(Self.blockSize - pending.count, bytes.count)
      pending.append(contentsOf: bytes[..<start])
      guard pending.count == Self.blockSize else { return }
      takePending()
    }
    let end = start + (bytes.count - start) / Self.blockSize * Self.blockSize
    takeBlocks(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    pending.append(contentsOf: bytes[end...])
  }

  /// The 32 bytes of the hash of everything added.
  func digest() -> [UInt8] {
    var last = self
    last.pending.append(0x80)
    while last.pending.count % Self.blockSize != Self.blockSize - 8 { last.pending.append(0) }
    withUnsafeBytes(of: (byteCount << 3).bigEndian) { last.pending.append(contentsOf: $0) }
    last.takePending()
    return (0..<8).flatMap { word in withUnsafeBytes(of: last.state[word].bigEndian) { Array($0) } }
  }

  /// Takes the whole blocks in `pending` and empties it.
  private mutating func takePending() {
    let blocks = pending
    pending.removeAll(keepingCapacity: true)
    blocks.withUnsafeBytes { takeBlocks($0) }
  }

  /// Section 6.2.2 for each block of `bytes`, which holds whole ones.
  private mutating func takeBlocks(_ bytes: UnsafeRawBufferPointer) {
    var state = state
    schedule.withUnsafeMutableBufferPointer { w in
      Self.constants.withUnsafeBufferPointer { k in
        for start in stride(from: 0, to: bytes.count, by: Self.blockSize) {
          for t in 0..<16 {
            w[t] = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: start + 4 * t, as: UInt32.self))
          }
          for t in 16..<64 {
            let (x, y) = (w[t - 15], w[t - 2])
            let small0 = Self.rotate(x, 7) ^ Self.rotate(x, 18) ^ (x &>> 3)
            let small1 = Self.rotate(y, 17) ^ Self.rotate(y, 19) ^ (y &>> 10)
            w[t] = w[t - 16] &+ small0 &+ w[t - 7] &+ small1
          }
          state &+= Self.rounds(state, w, k)
        }
      }
    }
    self.state = state
  }

  /// The 64 rounds, eight at a time, so that no variable is moved into another.
  @inline(__always)
  private static func rounds(
    _ state: SIMD8<UInt32>, _ w: UnsafeMutableBufferPointer<UInt32>, _ k: UnsafeBufferPointer<UInt32>
  ) -> SIMD8<UInt32> {
    var (a, b, c, d) = (state[0], state[1], state[2], state[3])
    var (e, f, g, h) = (state[4], state[5], state[6], state[7])
    for t in stride(from: 0, to: 64, by: 8) {
      round(a, b, c, &d, e, f, g, &h, w[t] &+ k[t])
      round(h, a, b, &c, d, e, f, &g, w[t + 1] &+ k[t + 1])
      round(g, h, a, &b, c, d, e, &f, w[t + 2] &+ k[t + 2])
      round(f, g, h, &a, b, c, d, &e, w[t + 3] &+ k[t + 3])
      round(e, f, g, &h, a, b, c, &d, w[t + 4] &+ k[t + 4])
      round(d, e, f, &g, h, a, b, &c, w[t + 5] &+ k[t + 5])
      round(c, d, e, &f, g, h, a, &b, w[t + 6] &+ k[t + 6])
      round(b, c, d, &e, f, g, h, &a, w[t + 7] &+ k[t + 7])
    }
    return [a, b, c, d, e, f, g, h]
  }

  @inline(__always)
  private static func round(
    _ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: inout UInt32, _ e: UInt32, _ f: UInt32, _ g: UInt32,
    _ h: inout UInt32, _ word: UInt32
  ) {
    let large1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    let choice = (e & f) ^ (~e & g)
    let first = h &+ large1 &+ choice &+ word
    let large0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    let majority = (a & b) ^ (a & c) ^ (b & c)
    d = d &+ first
    h = first &+ large0 &+ majority
  }

  @inline(__always)
  private static func rotate(_ x: UInt32, _ count: UInt32) -> UInt32 { x &>> count | x &<< (32 - count) }
}
