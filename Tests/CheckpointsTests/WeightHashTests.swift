import Checkpoints
import Foundation
import TestSupport
import Testing

struct WeightHashTests {
  /// The examples of FIPS 180-4, and a million times `a` (NIST's long message).
  @Test(arguments: [
    ("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("a", 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    // About the ends of blocks, from Python's hashlib.
    ("x", 55, "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072"),
    ("x", 56, "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e"),
    ("x", 63, "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2"),
    ("x", 64, "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c"),
    ("x", 65, "9537c5fdf120482f7d58d25e9ed583f52c02b4e304ea814db1633ad565aed7e9"),
    ("x", 119, "000b48d4edf0fa7bee3c6236ecd2785baa5db4eeb8bb54341b029e0d9fa5fb0c"),
    ("x", 120, "13f05a0b594787f5ecd315edc96141bd3243203d1b7d4f0836f37308b276ba98"),
    ("x", 128, "24da1b81d0b16df6428eee73c69fcb2a93c76bc6df706f0c6670fe6bfe800464"),
  ])
  func isSHA256(_ text: String, _ count: Int, _ hash: String) throws {
    let folder = try TemporaryDirectory()
    let file = try folder.write(String(repeating: text, count: count).utf8, as: "weights")
    #expect(try WeightHash.sha256(of: [file]) == hash)
  }

  @Test func filesFollowOneAnother() throws {
    let folder = try TemporaryDirectory()
    // Longer than the part that is read at a time.
    let bytes = (0..<(17 << 20)).map { UInt8(truncatingIfNeeded: $0 &* $0 &>> 3) }
    let whole = try folder.write(bytes, as: "whole")
    let parts = [try folder.write(bytes.prefix(1_000_003), as: "a"), try folder.write([], as: "b")]
    let rest = try folder.write(bytes.dropFirst(1_000_003), as: "c")
    var read = 0
    let hash = try WeightHash.sha256(of: parts + [rest]) { read += $0 }
    #expect(try hash == WeightHash.sha256(of: [whole]))
    #expect(read == bytes.count)
  }

  @Test func errors() throws {
    let folder = try TemporaryDirectory()
    #expect(throws: CheckpointError.self) { try WeightHash.sha256(of: [folder.url.appending(path: "none")]) }
    let file = try folder.write([1], as: "a")
    #expect(throws: CancellationError.self) { try WeightHash.sha256(of: [file]) { _ in throw CancellationError() } }
  }
}
