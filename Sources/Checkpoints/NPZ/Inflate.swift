/// Unpacks a raw deflate stream (RFC 1951) into a buffer of known size. Neither buffer is left, whatever the stream
/// says.
package struct Inflate {
  /// What is wrong with a stream.
  package enum Fault: Error, Equatable {
    case truncated, invalidBlock, invalidCode, invalidDistance, tooLong, tooShort
  }

  private let input: UnsafeRawBufferPointer
  private var inputOffset = 0
  /// Bits read ahead, lowest first; above `bitCount` there may be more of the same stream.
  private var bits: UInt64 = 0
  private var bitCount = 0
  private let output: UnsafeMutableRawBufferPointer
  private var outputOffset = 0

  private init(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) {
    self.input = input
    self.output = output
  }

  /// Unpacks `input`, which must fill `output` exactly, or with `prefixOnly` at least.
  package static func decode(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, prefixOnly: Bool = false
  ) throws(Fault) {
    var inflate = Inflate(input, output)
    do {
      while try inflate.block() {}
    } catch .tooLong where prefixOnly {
      return
    }
    guard inflate.outputOffset == output.count else { throw .tooShort }
  }

  /// Unpacks one block; whether more follow.
  private mutating func block() throws(Fault) -> Bool {
    let isLast = try take(1) == 1
    switch try take(2) {
    case 0: try stored()
    case 1: try compressed(FixedCodes.literals, FixedCodes.distances)
    case 2:
      let (literals, distances) = try dynamicCodes()
      try compressed(literals, distances)
    default: throw .invalidBlock
    }
    return !isLast
  }

  // MARK: Bits

  /// Has at least 56 bits ready, or all that are left.
  @inline(__always)
  private mutating func refill() {
    if input.count - inputOffset >= 8 {
      let word = UInt64(littleEndian: input.loadUnaligned(fromByteOffset: inputOffset, as: UInt64.self))
      bits |= word << UInt64(bitCount)
      inputOffset += (63 - bitCount) >> 3
      bitCount |= 56
    } else {
      while bitCount <= 56, inputOffset < input.count {
        bits |= UInt64(input[inputOffset]) << UInt64(bitCount)
        inputOffset += 1
        bitCount += 8
      }
    }
  }

  @inline(__always)
  private mutating func drop(_ count: Int) throws(Fault) {
    guard count <= bitCount else { throw .truncated }
    bits >>= UInt64(count)
    bitCount -= count
  }

  private mutating func take(_ count: Int) throws(Fault) -> Int {
    refill()
    let value = Int(bits & (1 << UInt64(count) - 1))
    try drop(count)
    return value
  }

  @inline(__always)
  private mutating func symbol(_ code: borrowing HuffmanCode) throws(Fault) -> Int {
    guard let (symbol, length) = code.decode(bits) else { throw bitCount < 15 ? .truncated : .invalidCode }
    try drop(length)
    return symbol
  }

  // MARK: Blocks

  private mutating func stored() throws(Fault) {
    try drop(bitCount & 7)
    inputOffset -= bitCount >> 3
    bits = 0
    bitCount = 0
    guard input.count - inputOffset >= 4 else { throw .truncated }
    let word = UInt32(littleEndian: input.loadUnaligned(fromByteOffset: inputOffset, as: UInt32.self))
    let count = Int(word & 0xFFFF)
    guard count == Int(~word >> 16) else { throw .invalidBlock }
    inputOffset += 4
    guard count <= input.count - inputOffset else { throw .truncated }
    let fitting = min(count, output.count - outputOffset)
    UnsafeMutableRawBufferPointer(rebasing: output[outputOffset..<outputOffset + fitting])
      .copyMemory(from: input.slice(inputOffset..<inputOffset + fitting))
    inputOffset += count
    outputOffset += fitting
    guard fitting == count else { throw .tooLong }
  }

  private mutating func dynamicCodes() throws(Fault) -> (HuffmanCode, HuffmanCode) {
    let literalCount = try take(5) + 257
    let distanceCount = try take(5) + 1
    let lengthCount = try take(4) + 4
    guard literalCount <= 286, distanceCount <= 30 else { throw .invalidCode }
    var lengthLengths = [UInt8](repeating: 0, count: 19)
    for position in Self.lengthOrder.prefix(lengthCount) { lengthLengths[position] = UInt8(try take(3)) }
    guard let lengthCode = HuffmanCode(lengthLengths, allowsPartial: false) else { throw .invalidCode }

    var lengths: [UInt8] = []
    lengths.reserveCapacity(literalCount + distanceCount)
    while lengths.count < literalCount + distanceCount {
      refill()
      let symbol = try symbol(lengthCode)
      var repeated: UInt8 = 0
      let count: Int
      switch symbol {
      case 16:
        guard let last = lengths.last else { throw .invalidCode }
        repeated = last
        count = try take(2) + 3
      case 17: count = try take(3) + 3
      case 18: count = try take(7) + 11
      default:
        repeated = UInt8(symbol)
        count = 1
      }
      guard lengths.count + count <= literalCount + distanceCount else { throw .invalidCode }
      lengths.append(contentsOf: repeatElement(repeated, count: count))
    }
    // Without an end-of-block symbol the block could not end.
    guard lengths[256] != 0, let literals = HuffmanCode(lengths.prefix(literalCount), allowsPartial: true),
      let distances = HuffmanCode(lengths.suffix(distanceCount), allowsPartial: true)
    else { throw .invalidCode }
    return (literals, distances)
  }

  private mutating func compressed(
    _ literals: borrowing HuffmanCode, _ distances: borrowing HuffmanCode
  ) throws(Fault) {
    while true {
      refill()  // 48 bits are the most that a length and a distance take
      let symbol = try symbol(literals)
      if symbol < 256 {
        guard outputOffset < output.count else { throw .tooLong }
        output[outputOffset] = UInt8(symbol)
        outputOffset += 1
        continue
      }
      if symbol == 256 { return }
      guard symbol < 286 else { throw .invalidCode }
      let length = Self.lengthBase[symbol - 257] + (try extra(Self.lengthExtra[symbol - 257]))
      let distanceSymbol = try self.symbol(distances)
      guard distanceSymbol < 30 else { throw .invalidCode }
      let distance = Self.distanceBase[distanceSymbol] + (try extra(Self.distanceExtra[distanceSymbol]))
      guard distance <= outputOffset else { throw .invalidDistance }
      // Byte by byte: a match may overlap what it writes.
      let end = min(outputOffset + length, output.count)
      let isCut = end < outputOffset + length
      while outputOffset < end {
        output[outputOffset] = output[outputOffset - distance]
        outputOffset += 1
      }
      guard !isCut else { throw .tooLong }
    }
  }

  @inline(__always)
  private mutating func extra(_ count: Int) throws(Fault) -> Int {
    let value = Int(bits & (1 << UInt64(count) - 1))
    try drop(count)
    return value
  }
}

/// Tables of RFC 1951 §3.2.5 to §3.2.7.
extension Inflate {
  fileprivate static let lengthBase = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
  ]
  fileprivate static let lengthExtra = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
  ]
  fileprivate static let distanceBase = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
    8193, 12289, 16385, 24577,
  ]
  fileprivate static let distanceExtra = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
  ]
  fileprivate static let lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
}

/// The codes of blocks that bring none of their own.
private enum FixedCodes {
  static let literals = code(
    (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 })
  static let distances = code([UInt8](repeating: 5, count: 32))

  private static func code(_ lengths: [UInt8]) -> HuffmanCode {
    guard let code = HuffmanCode(lengths, allowsPartial: false) else {
      preconditionFailure("the fixed codes of RFC 1951 are complete")
    }
    return code
  }
}
