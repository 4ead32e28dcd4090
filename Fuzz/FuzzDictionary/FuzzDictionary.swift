import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tensors

/// Makes a folder of the input and opens it as a dictionary of any tool's layout, then runs it on a few rows and writes
/// it in every layout.
///
/// The input is a list of files: the place of a name in `names`, two bytes of length (little-endian), that many bytes.
/// What a layout cannot hold may be an error of the areas concerned, of bounded length; nothing else may.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  expectErrors {
    try unpack(UnsafeBufferPointer(start: data, count: count))
    let parameters = try DictionaryParameters(importing: folder, threshold: 0.5, backend: backend)
    // A width or a number of layers that the weights bear out, but not worth the time.
    guard parameters.count < 100_000 else { return }
    for layout in DictionaryFormat.allCases {
      let place = scratch.appending(path: "written")
      try? FileManager.default.removeItem(at: place)
      expectErrors {
        try parameters.write(as: layout, to: place)
        try run(SparseDictionary(contentsOf: place, backend: backend))
      }
    }
  }
  expectErrors { try run(SparseDictionary(contentsOf: folder, backend: backend)) }
  return 0
}

private let names = [
  "config.json", "cfg.json", "config.yaml", "params.safetensors", "params_layer_0.safetensors",
  "params_layer_1.safetensors", "params.npz", "sae_weights.safetensors", "sae.safetensors", "thresholds.safetensors",
  "layer_3.safetensors", "W_enc_0.safetensors", "W_dec_0.safetensors", "W_enc_1.safetensors", "W_dec_1.safetensors",
]

private let scratch = FileManager.default.temporaryDirectory.appending(path: "gemmascope-fuzz-\(getpid())")
private let folder = scratch.appending(path: "resid_post/layer_3_width_5_l0_small")
private let backend: NativeBackend = {
  do { return try NativeBackend(threads: 1) } catch { fatalError("\(error)") }
}()

private func unpack(_ input: UnsafeBufferPointer<UInt8>) throws {
  try? FileManager.default.removeItem(at: folder)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  var rest = input[...]
  while rest.count >= 3 {
    let header = Array(rest.prefix(3))
    let length = Int(header[1]) | Int(header[2]) << 8
    let contents = rest.dropFirst(3).prefix(length)
    try Data(contents).write(to: folder.appending(path: names[Int(header[0]) % names.count]))
    rest = rest.dropFirst(3 + contents.count)
  }
}

private func run(_ dictionary: SparseDictionary) throws {
  guard dictionary.byteCount < 400_000 else { return }
  let shape = dictionary.shape
  let inputs = try shape.reads.map { _ in
    try Tensor((0..<3 * shape.inputWidth).map { Float($0 % 7) - 3 }, shape: [3, shape.inputWidth])
  }
  let result = try dictionary.reconstruct(inputs)
  guard result.outputs.count == shape.writes.count else { fatalError("\(result.outputs.count) outputs") }
  for output in result.outputs {
    guard output.shape == [3, shape.outputWidth] else { fatalError("an output of shape \(output.shape)") }
  }
  for feature in [0, shape.width - 1] {
    for read in shape.reads.indices {
      _ = try (
        dictionary.encoderColumn(read: read, feature: feature), dictionary.threshold(read: read, feature: feature)
      )
    }
  }
}

private func expectErrors(_ body: () throws -> Void) {
  do {
    try body()
  } catch {
    let isKnown =
      error is ConversionError || error is DictionaryError || error is CheckpointError || error is TensorError
      || error is SiteError
    guard isKnown else { fatalError("unexpected \(type(of: error)): \(error)") }
    guard "\(error)".utf8.count < 8192 else { fatalError("a message of \("\(error)".utf8.count) bytes") }
  }
}
