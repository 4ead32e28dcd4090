/// A hash of byte strings that can be joined: the hash of `a + b` follows from the hashes of `a` and `b` alone.
///
/// The string is a polynomial's coefficients, evaluated modulo the prime 2^61 - 1. The point differs from process to
/// process, so that no file can be made whose pieces all collide; nothing that anyone sees depends on it.
enum PieceHash {
  private static let prime: UInt64 = (1 << 61) - 1
  static let point = UInt64.random(in: (1 << 32)..<(1 << 60))

  @inline(__always)
  static func multiply(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return reduce((product.low & prime) &+ (product.high << 3 | product.low >> 61))
  }

  /// Brings a value below 2^62 into 0 ..< 2^61 - 1.
  @inline(__always)
  static func reduce(_ value: UInt64) -> UInt64 { value >= prime ? value &- prime : value }

  @inline(__always)
  static func of(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
    let point = point
    var hash: UInt64 = 0
    for byte in bytes { hash = reduce(multiply(hash, point) &+ UInt64(byte) &+ 1) }
    return hash
  }

  /// `point` to the powers 0 ... `count`: joining `b` of n bytes after `a` gives `a * powers[n] + b`.
  static func powers(upTo count: Int) -> [UInt64] {
    var powers: [UInt64] = [1]
    powers.reserveCapacity(count + 1)
    for i in 0..<count { powers.append(multiply(powers[i], point)) }
    return powers
  }
}
