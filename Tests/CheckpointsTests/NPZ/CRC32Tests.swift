import Checkpoints
import TestSupport
import Testing

struct CRC32Tests {
  /// One bit at a time.
  private static func reference(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    return ~crc
  }

  @Test func knowsTheCheckValue() {
    #expect(Array("123456789".utf8).withUnsafeBytes { CRC32.of($0) } == 0xCBF4_3926)
    #expect([UInt8]().withUnsafeBytes { CRC32.of($0) } == 0)
  }

  @Test func agreesWithTheReferenceHoweverItIsCut() {
    var random = SeededRandom(seed: 1)
    let bytes = (0..<200).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    for count in 0...200 {
      let expected = Self.reference(bytes.prefix(count))
      bytes.withUnsafeBytes { buffer in
        #expect(CRC32.of(UnsafeRawBufferPointer(rebasing: buffer[..<count])) == expected)
        let cut = random.int(0...count)
        var crc = CRC32()
        crc.add(UnsafeRawBufferPointer(rebasing: buffer[..<cut]))
        crc.add(UnsafeRawBufferPointer(rebasing: buffer[cut..<count]))
        #expect(crc.value == expected)
      }
    }
  }
}
