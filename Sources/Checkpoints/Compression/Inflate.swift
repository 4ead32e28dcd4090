/// Unpacks a raw deflate stream (RFC 1951), at once or in pieces. Neither buffer is left, whatever the stream says.
///
/// In pieces: whenever `fill` stops because the output is full, the caller takes what is there, keeps the last
/// `Inflate.window` bytes at the front of a buffer, and goes on filling behind them.
package struct Inflate {
  /// What is wrong with a stream.
  package enum Fault: Error, Equatable {
    case truncated, invalidBlock, invalidCode, invalidDistance, tooLong, tooShort
  }

  /// How far back a match may reach.
  package static let window = 32_768

  /// What the next bits are.
  private enum Stage {
    case header
    case stored(Int)
    case compressed(HuffmanCode, HuffmanCode)
    case end
  }

  private let input: UnsafeRawBufferPointer
  private var inputOffset = 0
  /// Bits read ahead, lowest first; above `bitCount` there may be more of the same stream.
  private var bits: UInt64 = 0
  private var bitCount = 0
  private var output = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var outputOffset = 0
  private var stage = Stage.header
  private var isLast = false
  /// The rest of a match that the output had no room for.
  private var pending = (length: 0, distance: 0)

  /// Reads `input`, which must outlive the value.
  package init(_ input: UnsafeRawBufferPointer) { self.input = input }

  /// Unpacks `input`, which must fill `output` exactly, or with `prefixOnly` at least.
  package static func decode(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, prefixOnly: Bool = false
  ) throws(Fault) {
    var inflate = Inflate(input)
    let (end, isDone) = try inflate.fill(output, from: 0)
    guard isDone || prefixOnly else { throw .tooLong }
    guard end == output.count else { throw .tooShort }
  }

  /// Unpacks into `buffer` behind its first `start` bytes, which must be the last that were unpacked before (at least
  /// `window` of them, or all).
  /// - Returns: where the unpacked bytes end, and whether the stream ended; if not, the buffer is full.
  package mutating func fill(
    _ buffer: UnsafeMutableRawBufferPointer, from start: Int
  ) throws(Fault) -> (end: Int, isDone: Bool) {
    output = buffer
    outputOffset = start
    while true {
      let isFull: Bool
      switch stage {
      case .header:
        try header()
        continue
      case .stored(let count): isFull = try stored(count)
      case .compressed(let literals, let distances): isFull = try compressed(literals, distances)
      case .end: return (outputOffset, true)
      }
      if isFull { return (outputOffset, false) }
      stage = isLast ? .end : .header
    }
  }

  /// Bytes of the input that the stream took, counting the last one whole.
  package var consumed: Int { inputOffset - bitCount >> 3 }

  /// Reads what a block begins with.
  private mutating func header() throws(Fault) {
    isLast = try take(1) == 1
    switch try take(2) {
    case 0: stage = .stored(try storedCount())
    case 1: stage = .compressed(FixedCodes.literals, FixedCodes.distances)
    case 2:
      let (literals, distances) = try dynamicCodes()
      stage = .compressed(literals, distances)
    default: throw .invalidBlock
    }
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

  private mutating func storedCount() throws(Fault) -> Int {
    try drop(bitCount & 7)
    inputOffset -= bitCount >> 3
    bits = 0
    bitCount = 0
    guard input.count - inputOffset >= 4 else { throw .truncated }
    let word = UInt32(littleEndian: input.loadUnaligned(fromByteOffset: inputOffset, as: UInt32.self))
    let count = Int(word & 0xFFFF)
    guard count == Int(~word >> 16) else { throw .invalidBlock }
    inputOffset += 4
    return count
  }

  /// Copies what is left of a stored block; whether the output ran full before its end.
  private mutating func stored(_ count: Int) throws(Fault) -> Bool {
    guard count <= input.count - inputOffset else { throw .truncated }
    let fitting = min(count, output.count - outputOffset)
    UnsafeMutableRawBufferPointer(rebasing: output[outputOffset..<outputOffset + fitting])
      .copyMemory(from: input.slice(inputOffset..<inputOffset + fitting))
    inputOffset += fitting
    outputOffset += fitting
    stage = .stored(count - fitting)
    return fitting < count
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

  /// Unpacks what is left of a block; whether the output ran full before its end.
  private mutating func compressed(
    _ literals: borrowing HuffmanCode, _ distances: borrowing HuffmanCode
  ) throws(Fault) -> Bool {
    if pending.length > 0, !copy(pending.length, pending.distance) { return true }
    while true {
      refill()  // 48 bits are the most that a length and a distance take
      let before = (bits, bitCount)
      let symbol = try symbol(literals)
      if symbol < 256 {
        guard outputOffset < output.count else {
          // The literal is read again when there is room; `refill` alone has moved the input.
          (bits, bitCount) = before
          return true
        }
        output[outputOffset] = UInt8(symbol)
        outputOffset += 1
        continue
      }
      if symbol == 256 { return false }
      guard symbol < 286 else { throw .invalidCode }
      let length = Self.lengthBase[symbol - 257] + (try extra(Self.lengthExtra[symbol - 257]))
      let distanceSymbol = try self.symbol(distances)
      guard distanceSymbol < 30 else { throw .invalidCode }
      let distance = Self.distanceBase[distanceSymbol] + (try extra(Self.distanceExtra[distanceSymbol]))
      guard distance <= outputOffset else { throw .invalidDistance }
      guard copy(length, distance) else { return true }
    }
  }

  /// Repeats `length` bytes from `distance` back as far as there is room; whether that was all.
  private mutating func copy(_ length: Int, _ distance: Int) -> Bool {
    // Byte by byte: a match may overlap what it writes.
    let end = min(outputOffset + length, output.count)
    pending = (length - (end - outputOffset), distance)
    while outputOffset < end {
      output[outputOffset] = output[outputOffset - distance]
      outputOffset += 1
    }
    return pending.length == 0
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
    // No input comes here: the lengths are the two constants above, whose codes every test of a fixed block makes.
    guard let code = HuffmanCode(lengths, allowsPartial: false) else {
      preconditionFailure("the fixed codes of RFC 1951 are complete")
    }
    return code
  }
}
