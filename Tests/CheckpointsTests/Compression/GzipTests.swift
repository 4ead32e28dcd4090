import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct GzipTests {
  private func unpack(_ bytes: [UInt8], pieceSize: Int = 1 << 17) throws -> [UInt8] {
    let reader = try GzipReader(storage: .copying(bytes), path: "x.gz", pieceSize: pieceSize)
    var text: [UInt8] = []
    while try reader.next({
      #expect($0.count <= pieceSize)
      text += $0
    }) {}
    return text
  }

  @Test(arguments: [1, 2, 63, 4096, 32_768, 1 << 20])
  func piecesOfAnySizeGiveTheText(pieceSize: Int) throws {
    let expected = GzipSample.text
    #expect(try unpack(GzipSample.packed, pieceSize: pieceSize) == expected)
    // Members follow one another, and zero bytes pad.
    let two = GzipSample.packed + GzipSample.stored(Array("and more".utf8)) + [0, 0, 0]
    #expect(try unpack(two, pieceSize: pieceSize) == expected + Array("and more".utf8))
  }

  @Test func storedBlocksOfRandomBytes() throws {
    var random = SeededRandom(seed: 3)
    for size in [0, 1, 5, 65_535, 65_536, 200_001] {
      let bytes = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      #expect(try unpack(GzipSample.stored(bytes), pieceSize: random.int(1...70_000)) == bytes)
    }
  }

  @Test func whatWasPackedUnpacks() throws {
    var random = SeededRandom(seed: 6)
    for size in [0, 1, 1000, 1 << 18, 300_001] {
      let bytes = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next() & 0x3F) }
      let packed = try bytes.withUnsafeBytes { try GzipWriter.pack($0, file: "x.gz") }
      #expect(try unpack(packed) == bytes)
      if size > 1000 { #expect(packed.count < size * 4 / 5) }
      let whole = try GzipReader.unpack(.copying(packed), path: "x.gz")
      #expect(Array(whole.bytes) == bytes)
      guard size > 0 else { continue }
      #expect(throws: CheckpointError.self) { try GzipReader.unpack(.copying(packed), path: "x.gz", limit: size - 1) }
    }
  }

  @Test func anyTruncationIsNamed() throws {
    let packed = GzipSample.packed
    for count in Array(0..<40) + stride(from: 41, to: packed.count, by: 97) + [packed.count - 1] {
      #expect(throws: CheckpointError.self, "\(count)") { try unpack(Array(packed[..<count])) }
    }
  }

  @Test func anyChangedByteIsRefusedOrHarmless() throws {
    var random = SeededRandom(seed: 4)
    for _ in 0..<300 {
      var packed = GzipSample.packed
      let index = random.int(0...packed.count - 1)
      packed[index] ^= UInt8(1 << random.int(0...7))
      do {
        // Only the header's time and system say nothing of the text.
        #expect(try unpack(packed) == GzipSample.text)
        #expect(index < 10)
      } catch is CheckpointError {}
    }
  }
}

@Suite struct SHA256Tests {
  /// NIST's examples.
  @Test func knownDigests() {
    #expect(SHA256.hex(of: []) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(SHA256.hex(of: "abc".utf8) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    let long = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
    #expect(SHA256.hex(of: long.utf8) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    let million = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
    #expect(SHA256.hex(of: million) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func piecesGiveTheSame() throws {
    var random = SeededRandom(seed: 5)
    let bytes = (0..<5000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    let directory = try TemporaryDirectory()
    for _ in 0..<50 {
      let text = Array(bytes.prefix(random.int(0...5000)))
      var hash = SHA256()
      var start = 0
      while start < text.count {
        let end = min(text.count, start + random.int(1...200))
        hash.add(text[start..<end])
        start = end
      }
      #expect(hash.hex == SHA256.hex(of: text))
    }
    #expect(try SHA256.hex(of: directory.write(bytes, as: "x")) == SHA256.hex(of: bytes))
    #expect(throws: CheckpointError.self) { try SHA256.hex(of: directory.url.appending(path: "none")) }
  }
}
