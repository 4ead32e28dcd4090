import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Testing

/// A cross-layer transcoder far larger than what is read of it. Its files are sparse: zeros that take no disk.
@Suite(.serialized)
struct MemoryTests {
  private static let layers = 24
  private static let width = 10_080
  private static let d = 1152

  /// 26.8 GB on paper, with thresholds of zero and one biased feature in each layer.
  private func makeFolder() throws -> TemporaryDirectory {
    let folder = try TemporaryDirectory()
    for layer in 0..<Self.layers {
      let sizes = [
        ("b_dec", [Self.d]), ("b_enc", [Self.width]), ("threshold", [Self.width]),
        ("w_dec", [Self.width, Self.layers, Self.d]),
        ("w_enc", [Self.d, Self.width]),
      ]
      var offset = 0
      var members: [String] = []
      var biasOffset = 0
      for (name, shape) in sizes {
        if name == "b_enc" { biasOffset = offset }
        let end = offset + shape.reduce(4, *)
        members.append(#""\#(name)":{"dtype":"F32","shape":\#(shape),"data_offsets":[\#(offset),\#(end)]}"#)
        offset = end
      }
      var header = Array("{\(members.joined(separator: ","))}".utf8)
      header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
      let file = folder.url.appending(path: "params_layer_\(layer).safetensors")
      let start = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header
      try Data(start).write(to: file)
      let handle = try FileHandle(forUpdating: file)
      try handle.truncate(atOffset: UInt64(start.count + offset))
      try handle.seek(toOffset: UInt64(start.count + biasOffset + 4 * (layer + 7)))
      try handle.write(contentsOf: withUnsafeBytes(of: Float(1.5)) { Data($0) })
      try handle.close()
    }
    let config = configJSON(
      type: "clt", reads: "model.layers.{all}.pre_feedforward_layernorm.output",
      writes: "model.layers.{all}.post_feedforward_layernorm.output", width: Self.layers * Self.width)
    _ = try folder.write(config.utf8, as: "config.json")
    return folder
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/self/smaps"), "residency is read from /proc"))
  func onlyRowsInUseBecomeResident() throws {
    let folder = try makeFolder()
    let backend = try NativeBackend(threads: 2)
    let encoderBytes = Self.d * Self.width * 4
    let smallVectors = Self.layers * (2 * Self.width + Self.d) * 4
    // A fault brings its neighbours along, and the system chooses how many.
    let slack = Self.layers * 1 << 20
    let dictionary = try SparseDictionary(contentsOf: folder.url, backend: backend, residentLimit: 1 << 30)
    #expect(dictionary.isStreamed)
    #expect(dictionary.byteCount > 25 << 30)
    let opened = try residentBytes(below: folder.url)
    #expect(opened > 0, "the files are mapped")
    #expect(opened < smallVectors + slack, "opening reads the small vectors only")

    let x = try Tensor([Float](repeating: 1, count: 4 * Self.d), shape: [4, Self.d])
    let code = try dictionary.encode(x, read: 5)
    #expect(code.features == [12, 12, 12, 12])
    #expect(code.activations == [1.5, 1.5, 1.5, 1.5])
    let encoded = try residentBytes(below: folder.url)
    #expect(encoded - opened < encoderBytes / 2, "the layer's encoder is given back after use")

    let codes = [SparseCode](repeating: SparseCode(emptyRows: 4), count: 5) + [code]
    let output = try dictionary.decode(DictionaryCode(codes), write: 5)
    #expect(try output.read().allSatisfy { $0 == 0 })
    #expect(try dictionary.decoderRow(read: 3, feature: 10_000, write: 20).count == Self.d)
    let decoded = try residentBytes(below: folder.url)
    #expect(decoded - encoded < 8 << 20, "only the rows of active features are read")
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/self/smaps"), "residency is read from /proc"))
  func anEncoderKeptInMemoryStaysThere() throws {
    // The measure can tell: without streaming, the encoder just read is still there.
    let folder = try makeFolder()
    let dictionary = try SparseDictionary(
      contentsOf: folder.url, backend: NativeBackend(threads: 2), residentLimit: .max)
    let opened = try residentBytes(below: folder.url)
    _ = try dictionary.encode(Tensor([Float](repeating: 1, count: Self.d), shape: [1, Self.d]), read: 5)
    let encoded = try withExtendedLifetime(dictionary) { try residentBytes(below: folder.url) }
    #expect(encoded - opened > Self.d * Self.width * 4 / 2)
  }
}

/// Memory that mapped files below `folder` take in this process.
private func residentBytes(below folder: URL) throws -> Int {
  // Read through a handle: the file reports no size, and other readers stop at its first piece.
  let bytes = try FileHandle(forReadingFrom: URL(filePath: "/proc/self/smaps")).readToEnd() ?? Data()
  let text = String(decoding: bytes, as: UTF8.self)
  var isOurs = false
  var kilobytes = 0
  for line in text.split(separator: "\n") {
    let fields = line.split(separator: " ")
    if fields.first?.contains("-") == true {
      isOurs = line.contains(folder.lastPathComponent)
    } else if isOurs, fields.first == "Rss:", fields.count > 1 {
      kilobytes += Int(fields[1]) ?? 0
    }
  }
  return kilobytes * 1024
}
