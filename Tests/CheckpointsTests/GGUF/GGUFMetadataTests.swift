import Checkpoints
import Tensors
import Testing

struct GGUFMetadataTests {
  private func file(_ key: String, _ type: UInt32, _ bytes: [UInt8]) throws -> GGUFFile {
    var builder = GGUFBytes()
    builder.values.append((key, type, bytes))
    return try gguf(builder.all)
  }

  @Test(
    arguments: [
      (0, GGUFBytes.integer(UInt8.max), 255), (1, GGUFBytes.integer(Int8.min), -128),
      (2, GGUFBytes.integer(UInt16.max), 65535), (3, GGUFBytes.integer(Int16.min), -32768),
      (4, GGUFBytes.integer(UInt32.max), 4_294_967_295), (5, GGUFBytes.integer(Int32.min), -2_147_483_648),
      (10, GGUFBytes.integer(UInt64(Int.max)), Int.max), (11, GGUFBytes.integer(Int64.min), Int.min),
    ] as [(UInt32, [UInt8], Int)])
  func readsWholeNumbersOfEveryWidth(_ type: UInt32, _ bytes: [UInt8], _ value: Int) throws {
    #expect(try file("k", type, bytes).integer("k") == value)
    let array = GGUFBytes.array(type, count: 3, bytes + bytes + bytes)
    #expect(try file("k", 9, array).integers("k") == [value, value, value])
  }

  @Test func readsFloatsBoolsAndStrings() throws {
    #expect(try file("k", 6, GGUFBytes.integer(Float(0.1).bitPattern)).float("k") == Double(Float(0.1)))
    #expect(try file("k", 12, GGUFBytes.integer(0.1.bitPattern)).float("k") == 0.1)
    #expect(try file("k", 7, [1]).bool("k"))
    #expect(try !file("k", 7, [0]).bool("k"))
    #expect(try file("k", 8, GGUFBytes.string("▁é")).string("k") == "▁é")
    let floats = GGUFBytes.integer(Float(1.5).bitPattern) + GGUFBytes.integer(Float(-2).bitPattern)
    #expect(try file("k", 9, GGUFBytes.array(6, count: 2, floats)).floats("k") == [1.5, -2])
    let doubles = GGUFBytes.integer(1.5.bitPattern) + GGUFBytes.integer((-2.0).bitPattern)
    #expect(try file("k", 9, GGUFBytes.array(12, count: 2, doubles)).floats("k") == [1.5, -2])
    guard case .array(let flags) = try file("k", 9, GGUFBytes.array(7, count: 3, [1, 0, 1])).value("k") else {
      Issue.record("expected an array")
      return
    }
    #expect(flags.bools() == [true, false, true])
  }

  @Test func readsArraysOfStringsInPlace() throws {
    // The middle one is no UTF-8: vocabularies hold such pieces.
    let pieces: [[UInt8]] = [Array("<bos>".utf8), [0xFF, 0x80], [], Array("▁the".utf8)]
    let array = try file("t", 9, GGUFBytes.array(8, count: 4, pieces.flatMap { GGUFBytes.string($0) })).strings("t")
    #expect(array.count == 4 && array.elementType == .string)
    var found: [[UInt8]] = []
    array.forEachUTF8 { index, bytes in
      #expect(index == found.count)
      found.append(Array(bytes))
    }
    #expect(found == pieces)
    #expect((0..<4).map { array.bytes(at: $0) } == pieces)
    #expect(array.withUTF8(at: 3) { $0.count } == 6)
    #expect(array.strings() == ["<bos>", "\u{FFFD}\u{FFFD}", "", "▁the"])
    #expect(array.integers() == nil && array.floats() == nil && array.bools() == nil && array.arrays() == nil)
  }

  @Test func readsArraysOfArrays() throws {
    let inner = GGUFBytes.array(4, count: 2, GGUFBytes.integer(UInt32(5)) + GGUFBytes.integer(UInt32(6)))
    let empty = GGUFBytes.array(8, count: 0, [])
    let source = try file("k", 9, GGUFBytes.array(9, count: 3, inner + empty + inner))
    guard case .array(let array) = source.value("k") else {
      Issue.record("expected an array")
      return
    }
    let found = try #require(array.arrays())
    #expect(found.map(\.count) == [2, 0, 2])
    #expect(found[2].integers() == [5, 6])
  }

  @Test func theDeepestArrayThatIsReadCanBeWalked() throws {
    var bytes = GGUFBytes.array(0, count: 1, [42])
    for _ in 0..<3 { bytes = GGUFBytes.array(9, count: 1, bytes) }
    guard case .array(var array) = try file("k", 9, bytes).value("k") else {
      Issue.record("expected an array")
      return
    }
    for _ in 0..<3 { array = try #require(array.arrays()?.first) }
    #expect(array.integers() == [42])
    #expect(fault { try file("k", 9, GGUFBytes.array(9, count: 1, bytes)) }.contains("nested deeper than 4"))
  }

  @Test func aMissingOrMistypedKeyIsNamed() throws {
    var builder = GGUFBytes()
    builder.set("name", string: "tiny")
    builder.set("width", uint32: 640)
    builder.values.append(("big", 10, GGUFBytes.integer(UInt64.max)))
    builder.values.append(("bigs", 9, GGUFBytes.array(10, count: 1, GGUFBytes.integer(UInt64.max))))
    builder.values.append(("ids", 9, GGUFBytes.array(5, count: 0, [])))
    let file = try gguf(builder.all)
    #expect(file.keys == ["big", "bigs", "ids", "name", "width"])
    #expect(throws: CheckpointError.missingKey(file: "a.gguf", key: "depth", expected: "a whole number")) {
      try file.integer("depth")
    }
    let cases: [(String, String)] = [
      (fault { try file.integer("name") }, "metadata key 'name' is a string, expected a whole number"),
      (fault { try file.integer("big") }, "metadata key 'big' is an unsigned integer, expected a whole number"),
      (fault { try file.integers("bigs") }, "metadata key 'bigs' is an array of uint64, expected an array of whole"),
      (fault { try file.string("width") }, "metadata key 'width' is an unsigned integer, expected a string"),
      (fault { try file.float("width") }, "is an unsigned integer, expected a float"),
      (fault { try file.bool("width") }, "is an unsigned integer, expected a bool"),
      (fault { try file.strings("ids") }, "metadata key 'ids' is an array of int32, expected an array of strings"),
      (fault { try file.floats("ids") }, "is an array of int32, expected an array of floats"),
    ]
    for (text, expected) in cases { #expect(text.contains(expected), "\(text)") }
    #expect(try file.integers("ids") == [])
    #expect(file.value("none") == nil)
  }
}
