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

  @Test func changedStreamsStayWithinTheirBuffers() throws {
    var random = SeededRandom(seed: 11)
    var faults = 0
    for text in DeflateStreams.all.values.sorted() {
      let packed = try [UInt8](base64: text)
      for _ in 0..<100 where !packed.isEmpty {
        var changed = packed
        changed[random.int(0...changed.count - 1)] ^= UInt8(1 << random.int(0...7))
        let room = random.int(0...4000)
        var output = [UInt8](repeating: 0xAA, count: room + 64)
        do {
          try changed.withUnsafeBytes { input in
            try output.withUnsafeMutableBytes {
              try Inflate.decode(input, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<room]))
            }
          }
        } catch { faults += 1 }
        #expect(output[room...].allSatisfy { $0 == 0xAA })
      }
    }
    #expect(faults > 500)
  }

  /// Streams that end early, and one of an unknown block type.
  @Test(arguments: [([], "ends early"), ([0x01], "ends early"), ([0x03], "ends early"), ([0x07], "block type")])
  func namesTheFault(_ packed: [UInt8], _ reason: String) {
    #expect {
      try inflate(packed, count: 100)
    } throws: {
      "\($0)".contains(reason)
    }
  }
}
