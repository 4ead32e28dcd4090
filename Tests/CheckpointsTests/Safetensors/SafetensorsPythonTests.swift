import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

struct SafetensorsPythonTests {
  @Test func readsWhatPythonWrote() throws {
    let file = try safetensors([UInt8](base64: SafetensorsPythonFile.base64))
    #expect(file.metadata == ["format": "pt"])
    for dtype in SafetensorsRoundTripTests.dtypes {
      let name =
        "a_"
        + [
          DType.f64: "float64", .f32: "float32", .bf16: "bfloat16", .f16: "float16", .i8: "int8",
          .i32: "int32", .i64: "int64",
        ][dtype, default: ""]
      let tensor = try file.tensor(name)
      #expect(tensor.dtype == dtype && tensor.shape == [3])
      let isWide = dtype == .i32 || dtype == .i64
      #expect(try (isWide ? tensor.readIntegers().map { Float($0) } : tensor.read()) == [1, -2, 3])
    }
    #expect(try file.tensor("b é\"\n\u{1}/").shape == [2, 0, 3])
    #expect(try file.tensor("scalar").read() == [1.5])
    #expect(file.names.count == 9)
  }

  /// The same tensors written here give the same bytes.
  @Test func writesWhatPythonWrites() throws {
    let bytes = try [UInt8](base64: SafetensorsPythonFile.base64)
    let file = try safetensors(bytes)
    var tensors: [String: Tensor] = [:]
    for name in file.names { tensors[name] = try file.tensor(name) }
    let folder = try TemporaryDirectory()
    let url = folder.url.appending(path: "a.safetensors")
    try SafetensorsWriter.write(tensors, metadata: file.metadata, to: url)
    #expect(try Data(contentsOf: url) == Data(bytes))
  }
}
