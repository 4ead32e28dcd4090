extension JSONScanner {
  private mutating func digits() -> Int {
    let start = offset
    while offset < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[offset] { offset += 1 }
    return offset - start
  }

  mutating func numberRange() throws -> Range<Int> {
    skipSpace()
    let start = offset
    if offset < bytes.count, bytes[offset] == UInt8(ascii: "-") { offset += 1 }
    let integerStart = offset
    let count = digits()
    guard count > 0, count == 1 || bytes[integerStart] != UInt8(ascii: "0") else { throw error("expected a number") }
    if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
      offset += 1
      guard digits() > 0 else { throw error("expected digits after the decimal point") }
    }
    if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
      offset += 1
      if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") { offset += 1 }
      guard digits() > 0 else { throw error("expected digits in the exponent") }
    }
    return start..<offset
  }

  /// A number; one too large for Double becomes infinite.
  package mutating func double() throws -> Double {
    let range = try numberRange()
    guard let value = Double(String(decoding: bytes[range], as: UTF8.self)) else {
      throw JSONError(offset: range.lowerBound, message: "expected a number")
    }
    return value
  }

  /// A whole number written without fraction or exponent, within Int.
  package mutating func integer() throws -> Int {
    let range = try numberRange()
    let isNegative = bytes[range.lowerBound] == UInt8(ascii: "-")
    var value = 0
    for byte in bytes[(isNegative ? range.lowerBound + 1 : range.lowerBound)..<range.upperBound] {
      let (digit, isNoDigit) = byte.subtractingReportingOverflow(UInt8(ascii: "0"))
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      // Counted downwards, for the least Int has no positive counterpart.
      let (next, underflow) = tens.subtractingReportingOverflow(Int(digit))
      guard !isNoDigit, digit < 10, !overflow, !underflow else {
        throw JSONError(offset: range.lowerBound, message: "expected a whole number")
      }
      value = next
    }
    guard !isNegative else { return value }
    guard value != .min else { throw JSONError(offset: range.lowerBound, message: "expected a whole number") }
    return -value
  }
}
