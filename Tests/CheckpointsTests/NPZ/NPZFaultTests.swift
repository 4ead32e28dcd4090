import Checkpoints
import Tensors
import Testing

struct NPZFaultTests {
  static let values: [Float] = [1, 2, 3, 4, 5, 6]
  static let array = ZipBytes.npy("<f4", "(2, 3)", [UInt8](littleEndian: values))

  /// A deflated copy of `array`: one stored block.
  static let packed: [UInt8] = {
    var bytes = Bytes()
    bytes.add([1])
    bytes.add(UInt16(array.count))
    bytes.add(~UInt16(array.count))
    bytes.add(array)
    return bytes.all
  }()

  static var valid: ZipBytes {
    ZipBytes(entries: [.init("a.npy", stored: array), .init("b.npy", packed: packed, unpacked: array)])
  }

  /// What is said of the valid file after `change`, its sizes all written in 32 or 64 bits.
  private func text(is64: Bool = false, _ change: (inout ZipBytes) -> Void) -> String {
    var builder = Self.valid
    builder.is64 = is64
    for i in builder.entries.indices { builder.entries[i].is64 = is64 }
    change(&builder)
    return fault {
      let file = try npz(builder.all)
      return try file.names.map { try file.tensor($0) }
    }
  }

  @Test func readsEveryFlavourOfZip() throws {
    for is64 in [false, true] {
      for entry64 in [false, true] {
        for comment in ["", "hello PK\u{5}\u{6} and more than twenty-two bytes", String(repeating: "x", count: 65535)] {
          var builder = Self.valid
          builder.is64 = is64
          builder.comment = comment
          for i in builder.entries.indices { builder.entries[i].is64 = entry64 }
          let file = try npz(builder.all)
          #expect(file.names == ["a", "b"])
          for name in file.names { #expect(try file.tensor(name).read() == Self.values) }
        }
      }
    }
    #expect(try npz(ZipBytes().all).names.isEmpty)
  }

  @Test func storedArraysAreUsedInPlace() throws {
    // Arrays made by hand are not aligned: pad the name until the elements are.
    for padding in 0..<4 {
      let name = String(repeating: "n", count: padding + 1)
      let tensor = try npz(ZipBytes(entries: [.init(name + ".npy", stored: Self.array)]).all).tensor(name)
      #expect(try tensor.read() == Self.values)
      #expect(UInt(bitPattern: try #require(tensor.hostBytes?.baseAddress)) % 4 == 0)
    }
  }

  @Test func brokenDirectoriesAreNamed() {
    #expect(fault { try npz([]) }.contains("not a zip file"))
    #expect(fault { try npz(Array("PK\u{5}\u{6}".utf8)) }.contains("not a zip file"))
    #expect(text { $0.disk = 1 }.contains("in several parts"))
    #expect(text(is64: true) { $0.disk = 1 }.contains("in several parts"))
    #expect(text { $0.entryCount = 3 }.contains("3 zip entries announced, 112 bytes of directory"))
    #expect(text { $0.directoryCount = 100 }.contains("bytes expected at byte"))
    #expect(text { $0.entryCount = 900 }.contains("900 zip entries announced"))
    #expect(text { $0.directoryCount = 1 << 31 }.contains("zip directory of 2147483648 bytes"))
    #expect(text { $0.directoryStart = 1 << 31 }.contains("at 2147483648 reaches past"))
    #expect(text { $0.directoryStart = 0 }.contains("no zip directory entry at byte 0"))
    for lie in [1 << 40, 1 << 62, 1 << 63, UInt64.max] as [UInt64] {
      #expect(text(is64: true) { $0.entryCount = lie }.contains("\(lie) zip entries announced"))
      #expect(text(is64: true) { $0.directoryCount = lie }.contains("zip directory of \(lie) bytes"))
      #expect(text(is64: true) { $0.directoryStart = lie }.contains("at \(lie) reaches past"))
      #expect(text(is64: true) { $0.record64 = lie }.contains("no 64-bit end record at byte \(lie)"))
    }
    #expect(text(is64: true) { $0.record64 = 0 }.contains("no 64-bit end record at byte 0"))
    #expect(text { $0.entries[1].name = "a.npy" }.contains("zip entry 'a.npy' given twice"))
  }

  @Test func brokenEntriesAreNamed() {
    #expect(text { $0.entries[0].flags = 1 }.contains("zip entry 'a.npy' is encrypted"))
    #expect(text { $0.entries[0].method = 12 }.contains("'a.npy' is packed by method 12"))
    #expect(text { $0.entries[0].localName = "x.npy" }.contains("differs from the directory's"))
    #expect(text { $0.entries[0].localMethod = 8 }.contains("differs from the directory's"))
    #expect(text { $0.entries[0].start = 1 }.contains("no zip entry at byte 1"))
    #expect(text { $0.entries[1].start = 0 }.contains("differs from the directory's"))
    #expect(text { $0.entries[0].byteCount += 1 }.contains("cannot unpack to"))
    #expect(text { $0.entries[0].packedCount = 4000 }.contains("of 4000 bytes at"))
    for lie in [1 << 40, 1 << 62, 1 << 63, UInt64.max - 1, UInt64.max] as [UInt64] {
      #expect(text(is64: true) { $0.entries[1].byteCount = lie }.contains("cannot unpack to \(lie)"))
      #expect(text(is64: true) { $0.entries[0].packedCount = lie }.contains("of \(lie) bytes at"))
      #expect(text(is64: true) { $0.entries[0].start = lie }.contains("zip entry at byte \(lie), past"))
    }
  }

  @Test func overlappingEntriesAreNamed() {
    // The first entry swallows the second's header; both are otherwise right.
    let inner = ZipBytes(entries: [.init("b.npy", stored: Self.array)])
    var builder = ZipBytes(entries: [.init("a.npy", stored: inner.all), .init("b.npy", stored: Self.array)])
    builder.entries[1].start = UInt64(30 + 5 + 20)
    #expect(fault { try npz(builder.all) }.contains("zip entry 'b.npy' overlaps another"))
  }

  @Test func damageIsFoundByTheChecksum() throws {
    #expect(text { $0.entries[0].crc ^= 1 }.contains("tensor 'a': damaged: its checksum"))
    #expect(text { $0.entries[1].crc ^= 1 }.contains("tensor 'b': damaged: its checksum"))
    #expect(text { $0.entries[0].packed[$0.entries[0].packed.count - 1] ^= 0x40 }.contains("tensor 'a': damaged"))
    var builder = Self.valid
    builder.entries[0].crc ^= 1
    #expect(try npz(builder.all).tensor("a", verifying: false).read() == Self.values)
  }

  @Test func brokenDeflateStreamsAreNamed() {
    #expect(text { $0.entries[1].packed[0] = 7 }.contains("tensor 'b': broken deflate stream: invalid block type"))
    #expect(text { $0.entries[1].packed.removeLast() }.contains("broken deflate stream: it ends early"))
    #expect(text { $0.entries[1].byteCount += 1 }.contains("broken deflate stream: it holds less than was announced"))
    #expect(text { $0.entries[1].byteCount -= 1 }.contains("tensor 'b': "))
  }

  @Test(arguments: [
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4)}", "24 bytes do not fit <f4 [2, 4]"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}", "24 bytes do not fit <f8 [2, 3]"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 3)}", "impossible shape"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "impossible shape"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4)}", "impossible shape"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616,)}", "expected a length"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}", "expected a length"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}", "expected ')'"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3]}", "expected '('"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", "expected '}'"),
    ("{'descr': '<f4', 'fortran_order': false, 'shape': (2, 3)}", "expected True or False"),
    ("{'descr': '<f4', 'fortran_order': False}", "expected keys 'descr', 'fortran_order' and 'shape'"),
    ("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", "'descr' given twice"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'x': 1}", "unknown key 'x'"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x", "unexpected text after the dictionary"),
    ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}", "arrays of records are not supported"),
    ("{'descr': '<f4, 'fortran_order': False, 'shape': (2, 3)}", "tensor 'a': .npy header"),
    ("{'descr': '\\x3c', 'fortran_order': False, 'shape': (2, 3)}", "unexpected character in a string"),
    ("{'descr", "unterminated string"), ("", "expected '{'"), ("__import__('os')", "expected '{'"),
  ])
  func brokenArrayHeadersAreNamed(_ header: String, _ reason: String) {
    let array = ZipBytes.npy(header, [UInt8](littleEndian: Self.values))
    let found = text { $0.entries[0] = .init("a.npy", stored: array) }
    #expect(found.contains(reason) && found.contains("tensor 'a'"), "\(found)")
  }

  @Test func brokenArrayBeginningsAreNamed() {
    func found(_ array: [UInt8]) -> String { text { $0.entries[0] = .init("a.npy", stored: array) } }
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (), }"
    #expect(found([]).contains("header ends at byte 0"))
    #expect(found(Array("\u{93}NUMPY".utf8)).contains("is no .npy array"))
    #expect(found(ZipBytes.npy(header, version: (4, 0), [0, 0, 0, 0])).contains(".npy version 4.0"))
    #expect(found(ZipBytes.npy(header, version: (1, 1), [0, 0, 0, 0])).contains(".npy version 1.1"))
    #expect(found(ZipBytes.npy(header, length: 60000, [0, 0, 0, 0])).contains(".npy header of 60000 bytes"))
    #expect(found(ZipBytes.npy(header, length: 6000, [0, 0, 0, 0])).contains("header ends at byte 10"))
    #expect(
      found(ZipBytes.npy(header, version: (2, 0), length: 0xFFFF_FFFF, [0, 0, 0, 0])).contains("header of 4294967295"))
    for count in 0..<10 { #expect(found(Array(Self.array.prefix(count))).contains("tensor 'a'")) }
  }

  @Test(arguments: [">f4", "<u4", "|b1", "<U7", "|O", "<c8", "<M8[ns]"])
  func otherTypesAreListedButNotOpened(_ descr: String) throws {
    let array = ZipBytes.npy(descr, "(2, 3)", [UInt8](littleEndian: Self.values))
    let file = try npz(ZipBytes(entries: [.init("a.npy", stored: array)]).all)
    #expect(try file.info("a") == TensorInfo(shape: [2, 3], typeName: descr, dtype: nil, byteCount: 24))
    #expect(fault { try file.tensor("a") }.contains("tensor 'a': NumPy type '\(descr)' is not supported, expected <f8"))
  }

  @Test func everyPrefixIsRefused() {
    var builder = Self.valid
    #expect(survives { try npz(builder.all) })
    for is64 in [false, true] {
      builder.is64 = is64
      let bytes = builder.all
      for count in 0..<bytes.count { _ = fault { try npz(Array(bytes.prefix(count))) } }
    }
  }

  @Test func everyChangedByteIsSurvived() {
    var builder = Self.valid
    builder.is64 = true
    builder.entries[1].is64 = true
    let valid = builder.all
    var accepted = 0
    for at in valid.indices {
      for change in [0x01, 0x02, 0x10, 0x80, 0xFF] as [UInt8] {
        var bytes = valid
        bytes[at] ^= change
        accepted += survives { try npz(bytes) } ? 1 : 0
      }
    }
    #expect(accepted > 0)
    #expect(accepted < valid.count * 5 / 2)
  }
}
