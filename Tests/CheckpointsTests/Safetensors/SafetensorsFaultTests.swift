import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

struct SafetensorsFaultTests {
  /// A header of one tensor `w` and what the error must say.
  @Test(arguments: [
    (#"{"w":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}"#, "tensor 'w': unknown dtype 'F99'"),
    (
      #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}"#,
      "tensor 'w': given twice"
    ),
    (#"{"w":{"shape":[2],"data_offsets":[0,8]}}"#, "tensor 'w': no 'dtype'"),
    (#"{"w":{"dtype":"F32","data_offsets":[0,8]}}"#, "tensor 'w': no 'shape'"),
    (#"{"w":{"dtype":"F32","shape":[2]}}"#, "tensor 'w': no 'data_offsets'"),
    (#"{"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "'dtype' given twice"),
    (#"{"w":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}}"#, "'shape' given twice"),
    (#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"data_offsets":[0,8]}}"#, "'data_offsets' given twice"),
    (#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, "span 8 bytes, expected 12 for F32 [3]"),
    (#"{"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,8]}}"#, "span 8 bytes, expected 4 for BF16 [2]"),
    (#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, "data_offsets [8, 0]"),
    (#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0]}}"#, "data_offsets [0]"),
    (#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4,8]}}"#, "expected at most 2 numbers"),
    (#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, "data_offsets [-8, 0]"),
    (#"{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, "ends at byte 16 of the data, which has 8"),
    (#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, "8 bytes of data, the tensors take 4"),
    (#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, "starts at byte 4 of the data, expected 0"),
    (
      #"{"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
      "tensor 'w': starts at byte 4 of the data, expected 8"
    ),
    (
      #"{"v":{"dtype":"I8","shape":[3],"data_offsets":[0,3]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
      "tensor 'w': starts at byte 4 of the data, expected 3"
    ),
    (#"{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, "impossible shape [-2]"),
    (#"{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#, "impossible shape"),
    (#"{"w":{"dtype":"F32","shape":[9223372036854775807,2],"data_offsets":[0,8]}}"#, "impossible shape"),
    (#"{"w":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,8]}}"#, "impossible shape"),
    (#"{"w":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}}"#, "impossible shape"),
    (#"{"w":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}"#, "impossible shape [3] of F4"),
    (#"{"w":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#, "expected a whole number"),
    (#"{"w":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}}"#, "expected a whole number"),
    (#"{"w":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}"#, "expected '['"),
    (#"{"w":{"dtype":7,"shape":[2],"data_offsets":[0,8]}}"#, "expected '\"'"),
    (#"{"w":[]}"#, "expected '{'"),
    (#"{"__metadata__":{"a":1},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "expected '\"'"),
    (#"{"__metadata__":{"a":"1","a":"2"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "key 'a' twice"),
    (#"{"__metadata__":{},"__metadata__":{},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "given twice"),
    (#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},}"#, "expected '\"'"),
    (#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} x"#, "unexpected bytes after the JSON value"),
    (#" {"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "does not start with '{'"),
    ("", "does not start with '{'"),
    ("{}", "8 bytes of data, the tensors take 0"),
  ])
  func names(_ header: String, _ reason: String) {
    let text = fault { try safetensors(safetensorsBytes(header, data: [UInt8](repeating: 1, count: 8))) }
    #expect(text.contains(reason), "\(text)")
    #expect(text.hasPrefix("a.safetensors: "))
  }

  @Test(
    arguments: [
      1000, 100_000_000, 100_000_001, 1 << 31, 1 << 32, 1 << 62, 1 << 63, UInt64.max - 7, UInt64.max,
    ] as [UInt64])
  func refusesAHeaderLongerThanTheFile(_ length: UInt64) {
    let text = fault { try safetensors(safetensorsBytes("{}", length: length)) }
    #expect(text.contains("header of \(length) bytes"), "\(text)")
  }

  @Test func refusesInvalidUTF8() {
    var bytes = Bytes()
    let header = Array(#"{"w"#.utf8) + [0xFF] + Array(#"":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#.utf8)
    bytes.add(UInt64(header.count))
    bytes.add(header)
    #expect(fault { try safetensors(bytes.all) }.contains("invalid UTF-8"))
  }

  @Test func refusesManyAxes() {
    let shape = Array(repeating: "1", count: 65).joined(separator: ",")
    let header = #"{"w":{"dtype":"I8","shape":[\#(shape)],"data_offsets":[0,1]}}"#
    #expect(fault { try safetensors(safetensorsBytes(header, data: [1])) }.contains("at most 64"))
  }

  private static let valid = safetensorsBytes(
    #"{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"#
      + #""b":{"dtype":"I8","shape":[3],"data_offsets":[8,11]}}"#, data: Array(1...11))

  @Test func everyPrefixIsRefused() throws {
    #expect(survives { try safetensors(Self.valid) })
    for count in 0..<Self.valid.count { _ = fault { try safetensors(Array(Self.valid.prefix(count))) } }
    #expect(fault { try safetensors(Self.valid + [0]) }.contains("12 bytes of data, the tensors take 11"))
  }

  @Test func everyChangedByteIsSurvived() {
    var accepted = 0
    for at in Self.valid.indices {
      for change in [0x01, 0x02, 0x10, 0x80, 0xFF] as [UInt8] {
        var bytes = Self.valid
        bytes[at] ^= change
        accepted += survives { try safetensors(bytes) } ? 1 : 0
      }
    }
    // Changes of elements, names and metadata are none of the header's business.
    #expect(accepted > 11 * 5)
    #expect(accepted < Self.valid.count * 5 / 2)
  }

  @Test func aMissingTensorIsNamed() throws {
    let file = try safetensors(Self.valid)
    #expect(!file.contains("c"))
    #expect(throws: CheckpointError.missingTensor(file: "a.safetensors", tensor: "c")) { try file.tensor("c") }
    #expect(throws: CheckpointError.missingTensor(file: "a.safetensors", tensor: "c")) { try file.info("c") }
  }

  @Test(arguments: ["BOOL", "U8", "F8_E4M3", "F8_E5M2"])
  func otherTypesAreListedButNotOpened(_ type: String) throws {
    let header = #"{"w":{"dtype":"\#(type)","shape":[2,4],"data_offsets":[0,8]}}"#
    let file = try safetensors(safetensorsBytes(header, data: Array(1...8)))
    #expect(try file.info("w") == TensorInfo(shape: [2, 4], typeName: type, dtype: nil, byteCount: 8))
    let text = fault { try file.tensor("w") }
    #expect(text.contains("tensor 'w': dtype \(type) is not supported, expected F64, F32"), "\(text)")
  }

  @Test func anAbsentFileIsNamed() throws {
    let folder = try TemporaryDirectory()
    let url = folder.url.appending(path: "none.safetensors")
    let text = fault { try SafetensorsFile(url) }
    #expect(text.hasPrefix(url.path) && text.contains("No such file"), "\(text)")
    #expect(fault { try SafetensorsFile(folder.url) }.contains("not a regular file"))
    #expect(fault { try SafetensorsFile(folder.write([], as: "e.safetensors")) }.contains("0 bytes"))
  }
}
