import Checkpoints
import Tensors
import Testing

struct GGUFFaultTests {
  /// Two tensors: `a` f32 [2, 3] and `b` q8_0 [2, 32], with 8 bytes between them.
  static var valid: GGUFBytes {
    var builder = GGUFBytes()
    builder.set("general.architecture", string: "tiny")
    builder.values.append(("ids", 9, GGUFBytes.array(8, count: 2, GGUFBytes.string("x") + GGUFBytes.string("yz"))))
    builder.tensors = [
      .init(name: "a", axes: [3, 2], type: 0, offset: 0), .init(name: "b", axes: [32, 2], type: 8, offset: 32),
    ]
    builder.data = (0..<100).map { UInt8($0) }
    return builder
  }

  private func text(_ change: (inout GGUFBytes) -> Void) -> String {
    var builder = Self.valid
    change(&builder)
    return fault { try gguf(builder.all) }
  }

  @Test func readsShapesTypesAndBytes() throws {
    for version in [2, 3] as [UInt32] {
      var builder = Self.valid
      builder.version = version
      let file = try gguf(builder.all)
      #expect(file.version == Int(version))
      #expect(file.names == ["a", "b"])
      #expect(try file.info("a") == TensorInfo(shape: [2, 3], typeName: "F32", dtype: .f32, byteCount: 24))
      #expect(try file.info("b") == TensorInfo(shape: [2, 32], typeName: "Q8_0", dtype: .q8_0, byteCount: 68))
      #expect(try file.tensor("a").bytes() == Array(0..<24))
      #expect(try file.tensor("b").bytes() == Array(32..<100))
      #expect(try file.tensor("b").rows(1..<2).bytes() == Array(66..<100))
      #expect(throws: CheckpointError.missingTensor(file: "a.gguf", tensor: "c")) { try file.tensor("c") }
    }
  }

  @Test func wrongBeginningsAreNamed() {
    #expect(text { $0.magic = "GGML" }.contains("does not start with 'GGUF'"))
    #expect(text { $0.version = 1 }.contains("GGUF version 1, expected 2 or 3"))
    #expect(text { $0.version = 4 }.contains("GGUF version 4"))
    #expect(text { $0.version = UInt32(3).byteSwapped }.contains("big-endian"))
    #expect(text { $0.version = 0 }.contains("GGUF version 0, expected 2 or 3"))
    #expect(fault { try gguf([]) }.contains("4 bytes expected at byte 0, the file has 0"))
  }

  @Test(arguments: [1000, 1 << 31, 1 << 32, 1 << 62, 1 << 63, UInt64.max - 1, UInt64.max] as [UInt64])
  func lyingCountsAreRefusedBeforeAllocating(_ count: UInt64) {
    #expect(text { $0.valueCount = count }.contains("\(count) metadata values announced"))
    #expect(text { $0.tensorCount = count }.contains("\(count) tensors announced"))
    for type in [0, 4, 8, 9, 10] as [UInt32] {
      #expect(
        text { $0.values[1].bytes = GGUFBytes.array(type, count: count, []) }.contains("array of \(count) elements"))
    }
    #expect(text { $0.values[0].bytes = GGUFBytes.integer(count) }.contains("\(count) bytes expected at byte"))
    #expect(
      text { $0.values[1].bytes = GGUFBytes.array(8, count: 1, GGUFBytes.integer(count)) }
        .contains("\(count) bytes expected at byte"))
    #expect(text { $0.tensors[0].axes = [count, 2] }.contains("tensor 'a': "))
    #expect(text { $0.tensors[0].offset = count & ~31 | 1 << 20 }.contains("tensor 'a': "))
  }

  @Test func brokenMetadataIsNamed() {
    #expect(text { $0.set("general.architecture", string: "x") }.contains("key 'general.architecture' given twice"))
    #expect(text { $0.values[0].type = 13 }.contains("unknown metadata type 13"))
    #expect(text { $0.values[1].bytes = GGUFBytes.array(13, count: 0, []) }.contains("unknown metadata type 13"))
    #expect(text { $0.values.append(("flag", 7, [2])) }.contains("bool of value 2"))
    #expect(text { $0.values[0].bytes = GGUFBytes.string([0xC3]) }.contains("is not UTF-8"))
    var deep = GGUFBytes.array(0, count: 0, [])
    for _ in 0..<10_000 { deep = GGUFBytes.array(9, count: 1, deep) }
    #expect(text { $0.values[1].bytes = deep }.contains("nested deeper than 4"))
  }

  @Test func brokenTensorsAreNamed() {
    #expect(text { $0.tensors[1].name = "a" }.contains("tensor 'a': given twice"))
    #expect(text { $0.tensors[0].axes = [1, 1, 1, 1, 1] }.contains("tensor 'a': 5 axes, expected at most 4"))
    #expect(text { $0.tensors[0].type = 4 }.contains("tensor 'a': unknown ggml type 4"))
    #expect(text { $0.tensors[0].type = 99 }.contains("tensor 'a': unknown ggml type 99"))
    #expect(text { $0.tensors[1].axes = [48, 1] }.contains("rows of 48 elements, expected a multiple of 32 for Q8_0"))
    #expect(text { $0.tensors[1].type = 12 }.contains("rows of 32 elements, expected a multiple of 256 for Q4_K"))
    #expect(text { $0.tensors[1].axes = [] }.contains("rows of 1 elements"))
    #expect(text { $0.tensors[0].axes = [1 << 32, 1 << 32] }.contains("impossible shape"))
    #expect(text { $0.tensors[0].axes = [1 << 61, 1] }.contains("impossible shape"))
    #expect(text { $0.tensors[0].axes = [4, 1 << 62, 0] }.contains("impossible shape"))
    #expect(text { $0.tensors[0].axes = [1 << 63] }.contains("axis of length 9223372036854775808"))
    #expect(text { $0.tensors[1].offset = 33 }.contains("starts at byte 33 of the data, expected a multiple of 32"))
    #expect(text { $0.tensors[1].offset = 64 }.contains("takes 68 bytes at 64 of the data, which has 100"))
    #expect(text { $0.tensors[1].offset = 128 }.contains("takes 68 bytes at 128 of the data, which has 100"))
    #expect(text { $0.tensors[1].offset = 0 }.contains("tensor 'b': overlaps 'a'"))
    #expect(text { $0.tensors[0].axes = [3, 3] }.contains("tensor 'b': overlaps 'a'"))
    #expect(text { $0.tensors[1].axes = [32, 3] }.contains("takes 102 bytes at 32"))
  }

  @Test func alignmentIsTheFilesOwn() throws {
    var builder = Self.valid
    builder.set("general.alignment", uint32: 4)
    builder.alignment = 4
    builder.tensors[1].offset = 24
    let file = try gguf(builder.all)
    #expect(file.alignment == 4)
    #expect(try file.tensor("b").bytes() == Array(24..<92))

    for bad in [0, 3, 48] as [UInt32] {
      #expect(
        text { $0.set("general.alignment", uint32: bad) }.contains("'general.alignment' is \(bad), expected an uns"))
    }
    #expect(text { $0.set("general.alignment", string: "32") }.contains("'general.alignment' is a string"))
    #expect(
      text { $0.values.append(("general.alignment", 10, GGUFBytes.integer(1 << 63 as UInt64))) }
        .contains("'general.alignment' is 9223372036854775808"))
    // The largest power of two that fits Int would carry the start of the data out of range.
    #expect(
      text { $0.values.append(("general.alignment", 10, GGUFBytes.integer(1 << 62 as UInt64))) }.contains("tensor "))
  }

  @Test func misalignedTensorsAreCopied() throws {
    var builder = Self.valid
    builder.set("general.alignment", uint32: 1)
    builder.set("p", string: "")
    builder.alignment = 1
    builder.tensors = [
      .init(name: "a", axes: [3, 2], type: 0, offset: 1), .init(name: "b", axes: [32], type: 8, offset: 25),
    ]
    for padding in 0..<4 {
      builder.values[3].bytes = GGUFBytes.string([UInt8](repeating: 32, count: padding))
      let file = try gguf(builder.all)
      let a = try file.tensor("a")
      let b = try file.tensor("b")
      #expect(try a.bytes() == Array(1..<25))
      #expect(try b.bytes() == Array(25..<59))
      #expect(UInt(bitPattern: try #require(a.hostBytes?.baseAddress)) % 4 == 0)
      #expect(UInt(bitPattern: try #require(b.hostBytes?.baseAddress)) % 2 == 0)
    }
  }

  @Test func aFileWithoutTensorsIsAllMetadata() throws {
    var builder = Self.valid
    builder.tensors = []
    builder.data = []
    #expect(try gguf(builder.all).names.isEmpty)
  }

  @Test func scalarsAndEmptyTensorsAreRead() throws {
    var builder = GGUFBytes()
    builder.tensors = [
      .init(name: "e", axes: [0, 5], type: 0, offset: 32), .init(name: "s", axes: [], type: 26, offset: 0),
      .init(name: "f", axes: [32, 0], type: 8, offset: 0),
    ]
    builder.data = [7] + [UInt8](repeating: 0, count: 31)
    let file = try gguf(builder.all)
    #expect(try file.tensor("s").readIntegers() == [7])
    #expect(try file.tensor("s").shape == [])
    #expect(try file.tensor("e").shape == [5, 0])
    #expect(try file.tensor("f").bytes() == [])
  }

  /// Sizes of blocks as the format fixes them, written down a second time.
  @Test(
    arguments: [
      (0, "F32", 1, 4), (1, "F16", 1, 2), (2, "Q4_0", 32, 18), (3, "Q4_1", 32, 20), (6, "Q5_0", 32, 22),
      (7, "Q5_1", 32, 24),
      (8, "Q8_0", 32, 34), (9, "Q8_1", 32, 40), (10, "Q2_K", 256, 84), (11, "Q3_K", 256, 110), (12, "Q4_K", 256, 144),
      (13, "Q5_K", 256, 176), (14, "Q6_K", 256, 210), (15, "Q8_K", 256, 292), (16, "IQ2_XXS", 256, 66),
      (17, "IQ2_XS", 256, 74), (18, "IQ3_XXS", 256, 98), (19, "IQ1_S", 256, 50), (20, "IQ4_NL", 32, 18),
      (21, "IQ3_S", 256, 110), (22, "IQ2_S", 256, 82), (23, "IQ4_XS", 256, 136), (24, "I8", 1, 1), (25, "I16", 1, 2),
      (26, "I32", 1, 4), (27, "I64", 1, 8), (28, "F64", 1, 8), (29, "IQ1_M", 256, 56), (30, "BF16", 1, 2),
      (34, "TQ1_0", 256, 54), (35, "TQ2_0", 256, 66), (39, "MXFP4", 32, 17), (40, "NVFP4", 64, 36),
      (41, "Q1_0", 128, 18),
    ] as [(UInt32, String, UInt64, Int)])
  func everyTypeIsSized(_ type: UInt32, _ name: String, _ size: UInt64, _ bytes: Int) throws {
    var builder = GGUFBytes()
    builder.tensors = [.init(name: "w", axes: [size * 3], type: type, offset: 0)]
    builder.data = [UInt8](repeating: 1, count: bytes * 3)
    let file = try gguf(builder.all)
    let info = try file.info("w")
    #expect(info.typeName == name && info.byteCount == bytes * 3 && info.shape == [Int(size) * 3])
    if let dtype = info.dtype {
      #expect(dtype.blockSize == Int(size) && dtype.bytesPerBlock == bytes)
      #expect(try file.tensor("w").bytes() == builder.data)
    } else {
      #expect(fault { try file.tensor("w") }.contains("tensor 'w': ggml type \(name) is not supported, expected F64"))
    }
    builder.data.removeLast()
    #expect(
      fault { try gguf(builder.all) }.contains("takes \(bytes * 3) bytes at 0 of the data, which has \(bytes * 3 - 1)"))
  }

  @Test func everyPrefixIsRefused() throws {
    let bytes = Self.valid.all
    #expect(survives { try gguf(bytes) })
    for count in 0..<bytes.count { _ = fault { try gguf(Array(bytes.prefix(count))) } }
  }

  @Test func everyChangedByteIsSurvived() {
    let valid = Self.valid.all
    var accepted = 0
    for at in valid.indices {
      for change in [0x01, 0x02, 0x10, 0x80, 0xFF] as [UInt8] {
        var bytes = valid
        bytes[at] ^= change
        accepted += survives { try gguf(bytes) } ? 1 : 0
      }
    }
    #expect(accepted >= 100 * 5)
    #expect(accepted < valid.count * 5)
  }
}
