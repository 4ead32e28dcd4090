import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

struct SafetensorsRoundTripTests {
  static let dtypes: [DType] = [.f64, .f32, .bf16, .f16, .i8, .i32, .i64]

  static func randomTensor(_ random: inout SeededRandom, shape: [Int], dtype: DType) throws -> Tensor {
    let count = shape.reduce(1, *) * dtype.bytesPerBlock
    return try Tensor(
      storage: HostStorage.copying((0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }), shape: shape,
      dtype: dtype)
  }

  @Test(arguments: 0..<40 as Range<UInt64>)
  func randomTensorsReadBack(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let folder = try TemporaryDirectory()
    let url = folder.url.appending(path: "a.safetensors")
    var tensors: [String: Tensor] = [:]
    for index in 0..<random.int(0...9) {
      let shape = (0..<random.int(0...4)).map { _ in [0, 1, 2, 3, 7, 16, 31][random.int(1...6)] }
      let dtype = Self.dtypes[random.int(0...6)]
      tensors["layer.\(index).é\"\\"] = try Self.randomTensor(&random, shape: shape, dtype: dtype)
    }
    tensors["empty"] = try Tensor([Float](), shape: [3, 0, 2])
    let metadata = ["format": "pt", "note": "a\n\"b\" \u{1}é"]
    try SafetensorsWriter.write(tensors, metadata: metadata, to: url)

    let file = try SafetensorsFile(url)
    #expect(file.names == tensors.keys.sorted())
    #expect(file.metadata == metadata)
    for (name, tensor) in tensors {
      let found = try file.tensor(name)
      #expect(found.shape == tensor.shape)
      #expect(found.dtype == tensor.dtype)
      #expect(try found.bytes() == tensor.bytes())
      #expect(try file.info(name).byteCount == tensor.byteCount)
      // The writer's order keeps every tensor aligned, so that reading copies nothing.
      #expect(found.byteCount == 0 || found.storage.byteCount > found.byteCount)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a.safetensors"])
  }

  @Test func equalContentsGiveEqualFiles() throws {
    let folder = try TemporaryDirectory()
    let files = try ["a", "b"].map { name in
      let url = folder.url.appending(path: name)
      var tensors: [String: Tensor] = [:]
      for index in (0..<30).shuffled() { tensors["t\(index)"] = try Tensor([Float(index)], shape: [1]) }
      try SafetensorsWriter.write(tensors, metadata: ["z": "1", "a": "2", "m": "3"], to: url)
      return try Data(contentsOf: url)
    }
    #expect(files[0] == files[1])
  }

  @Test func misalignedTensorsAreCopied() throws {
    let values: [Float] = [1.5, -2, 3]
    let data: [UInt8] = [9] + Array(littleEndian: values)
    let header =
      #"{"b":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"F32","shape":[3],"data_offsets":[1,13]}}"#
    for padding in 0..<8 {
      let file = try safetensors(safetensorsBytes(header + String(repeating: " ", count: padding), data: data))
      let tensor = try file.tensor("w")
      #expect(try tensor.read() == values)
      let address = try #require(tensor.hostBytes?.baseAddress)
      #expect(UInt(bitPattern: address) % 4 == 0)
    }
  }

  @Test func rowsAreViewsOfTheMapping() throws {
    let folder = try TemporaryDirectory()
    let url = folder.url.appending(path: "a.safetensors")
    try SafetensorsWriter.write(["w": Tensor((0..<70).map { Float($0) }, shape: [10, 7])], to: url)
    let tensor = try SafetensorsFile(url).tensor("w")
    let rows = try tensor.rows(3..<5)
    #expect(try rows.read() == (21..<35).map { Float($0) })
    #expect(rows.storage === tensor.storage)
  }
}
