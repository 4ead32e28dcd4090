import Checkpoints
import TestSupport
import Testing

func inflate(_ input: some Sequence<UInt8>, count: Int, prefixOnly: Bool = false) throws -> [UInt8] {
  var output = [UInt8](repeating: 0xAA, count: count)
  try Array(input).withUnsafeBytes { input in
    try output.withUnsafeMutableBytes { try Inflate.decode(input, into: $0, prefixOnly: prefixOnly) }
  }
  return output
}

struct InflateTests {
  /// The generator that made the data on the Python side.
  private static func lcg(_ count: Int, seed: Int) -> [Int] {
    var x = seed
    return (0..<count).map { _ in
      x = (x * 1_103_515_245 + 12345) % (1 << 31)
      return x >> 8
    }
  }

  /// Bytes whose frequencies halve from one to the next, so that codes grow long.
  private static let geometric = lcg(3000, seed: 1).map { UInt8(min($0.trailingZeroBitCount, 22)) }
  private static let random = lcg(100, seed: 2).map { UInt8($0 & 255) }
  private static let far = random + [UInt8](repeating: UInt8(ascii: "a"), count: 32300) + random

  @Test(arguments: DeflateStreams.all.keys.sorted())
  func unpacksWhatZlibPacked(_ name: String) throws {
    let packed = try [UInt8](base64: #require(DeflateStreams.all[name]))
    let data: [UInt8] =
      switch name.prefix(while: { $0 != "," }) {
      case "geometric": Self.geometric
      case "far": Self.far
      case "random": Self.random
      default: []
      }
    #expect(try inflate(packed, count: data.count) == data)
    for count in 0..<min(packed.count, 300) {
      #expect(throws: Inflate.Fault.self) { try inflate(packed.prefix(count), count: data.count) }
    }
    for count in stride(from: 0, to: data.count, by: 1 + data.count / 100) {
      #expect(try inflate(packed, count: count, prefixOnly: true) == Array(data.prefix(count)))
      #expect(throws: Inflate.Fault.tooLong) { try inflate(packed, count: count) }
    }
    #expect(throws: Inflate.Fault.tooShort) { try inflate(packed, count: data.count + 1) }
    #expect(throws: Inflate.Fault.tooShort) { try inflate(packed, count: data.count + 1, prefixOnly: true) }
  }

  @Test(arguments: 0..<300 as Range<UInt64>)
  func unpacksRandomStreams(_ seed: UInt64) throws {
    var encoder = DeflateEncoder(seed: seed)
    let packed = encoder.encode(blocks: 1 + Int(seed % 7))
    let data = encoder.output
    #expect(try inflate(packed, count: data.count) == data)
    let cut = Int(seed) % packed.count
    #expect(throws: Inflate.Fault.truncated) { try inflate(packed.prefix(cut), count: data.count) }
  }

  @Test func changedStreamsStayWithinTheirBuffers() {
    var random = SeededRandom(seed: 11)
    var faults = 0
    for seed in 0..<200 as Range<UInt64> {
      var encoder = DeflateEncoder(seed: seed)
      let packed = encoder.encode(blocks: 2)
      for _ in 0..<20 {
        var changed = packed
        changed[random.int(0...changed.count - 1)] ^= UInt8(1 << random.int(0...7))
        let guarded = encoder.output.count
        var output = [UInt8](repeating: 0xAA, count: guarded + 64)
        do {
          try changed.withUnsafeBytes { input in
            try output.withUnsafeMutableBytes {
              try Inflate.decode(input, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<guarded]))
            }
          }
        } catch { faults += 1 }
        #expect(output[guarded...].allSatisfy { $0 == 0xAA })
      }
    }
    #expect(faults > 1000)
  }

  /// Bits, lowest first, as a hexadecimal dump of the bytes.
  @Test(
    arguments: [
      ([], Inflate.Fault.truncated), ([0x07], .invalidBlock), ([0x01], .truncated),
      ([0x01, 1, 0, 0, 0, 9], .invalidBlock),
      ([0x01, 5, 0, 0xFA, 0xFF, 1], .truncated), ([0x03], .truncated),
      ([0x03 | 0b01000000, 0b00000110], .invalidDistance),  // fixed block: length 3 from distance 1 of nothing
      ([0x05, 0xFF, 0xFF], .invalidCode),  // 288 literal codes announced
      ([0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00], .invalidCode),  // no code for the lengths
      ([0x05, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .invalidCode),  // left over patterns
      ([0x05, 0xE0, 0x49, 0x92, 0x24, 0x49, 0x92, 0x24, 0x49, 0x92, 0x24], .invalidCode),  // 19 codes of one bit
    ] as [([UInt8], Inflate.Fault)])
  func namesTheFault(_ packed: [UInt8], _ fault: Inflate.Fault) {
    #expect(throws: fault) { try inflate(packed, count: 100) }
  }
}
