/// How a packed atlas rounds: the low bits of an fp32 number are left out, and it is read as the middle of what may
/// have been there. So order is kept, nothing leaves its bucket of a sketch, and packing again changes nothing.
enum PackedNumber {
  /// Exponent and eight bits behind it: off by at most 1/512 of itself. For numbers from 0 on.
  static func fine(_ number: Float) -> Int { Int(number.bitPattern >> 15) }
  /// Exponent and five bits behind it, a sketch's bucket: off by at most 1/64 of itself.
  static func coarse(_ number: Float) -> Int { Int(number.bitPattern >> 18) }

  /// Exponent and three bits behind it: off by at most 1/16 of itself.
  static func rough(_ number: Float) -> Int { Int(number.bitPattern >> 20) }

  /// Codes of finite numbers.
  static let fineCodes = 0..<0xFF00
  static let coarseCodes = 0..<0x1FE0
  static let roughCodes = 0..<0x7F8

  static func fine(_ code: Int) -> Float { Float(bitPattern: UInt32(code) << 15 | 1 << 14) }
  static func coarse(_ code: Int) -> Float { Float(bitPattern: UInt32(code) << 18 | 1 << 17) }

  static func rough(_ code: Int) -> Float { Float(bitPattern: UInt32(code) << 20 | 1 << 19) }

  /// As `meta.packed_rounding` tells it: the largest error as a share of the number.
  static let declaration =
    "{\"activation\":0.001953125,\"window\":0.0625,\"mean\":0.001953125,\"effect\":0.05,"
    + "\"window_effect\":0.1,\"source_of_largest\":0.006}"
}
