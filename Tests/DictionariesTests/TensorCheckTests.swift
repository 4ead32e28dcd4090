import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Testing

/// Weight files with missing, misshapen or meaningless tensors.
struct TensorCheckTests {
  let folder: TemporaryDirectory
  let backend: NativeBackend

  init() throws {
    folder = try TemporaryDirectory()
    backend = try NativeBackend(threads: 1)
  }

  private func good() throws -> [String: Tensor] {
    var random = SeededRandom(seed: 5)
    return try ReferenceDictionary(inputs: 4, outputs: 4, features: 6, random: &random).tensors(0, isMultiLayer: false)
  }

  private func open(_ tensors: [String: Tensor]) throws -> SparseDictionary {
    let file = folder.url.appending(path: "params.safetensors")
    try SafetensorsWriter.write(tensors, to: file)
    return try SparseDictionary(contentsOf: file, site: .residPost(0), backend: backend)
  }

  private func refusal(_ change: (inout [String: Tensor]) throws -> Void) throws -> String {
    var tensors = try good()
    try change(&tensors)
    let error = #expect(throws: DictionaryError.self) { try open(tensors) }
    return error?.description ?? ""
  }

  @Test(arguments: ["w_enc", "w_dec", "b_enc", "b_dec", "threshold"])
  func missing(_ name: String) throws {
    #expect(try refusal { $0[name] = nil }.hasSuffix("tensor '\(name)' is missing"))
  }

  @Test func unexpected() throws {
    let text = try refusal { $0["log_threshold"] = try Tensor([Float](repeating: 0, count: 6), shape: [6]) }
    #expect(text.contains("unexpected tensor 'log_threshold'"))
  }

  @Test(arguments: [
    ("w_enc", [24]), ("w_enc", [0, 6]), ("w_enc", [4, 5]), ("w_dec", [5, 4]), ("w_dec", [6, 2, 2]), ("b_enc", [5]),
    ("b_enc", [6, 1]), ("threshold", [7]), ("b_dec", [3]), ("affine_skip_connection", [4, 3]),
    ("affine_skip_connection", [16]),
  ])
  func misshapen(_ name: String, _ shape: [Int]) throws {
    let text = try refusal { $0[name] = try Tensor([Float](repeating: 0, count: shape.reduce(1, *)), shape: shape) }
    #expect(text.contains("tensor '"))
    #expect(text.contains("expected"))
  }

  @Test func integersAreNoWeights() throws {
    let text = try refusal { $0["w_enc"] = try Tensor(integers: [Int32](repeating: 1, count: 24), shape: [4, 6]) }
    #expect(text.contains("tensor 'w_enc': expected f32, bf16 or f16, found I32"))
  }

  @Test(arguments: ["b_enc", "b_dec", "threshold"])
  func notANumber(_ name: String) throws {
    let count = name == "b_dec" ? 4 : 6
    var values = [Float](repeating: 0, count: count)
    values[2] = .nan
    let text = try refusal { $0[name] = try Tensor(values, shape: [count]) }
    #expect(text.contains("tensor '\(name)'") && text.contains("nan at 2"))
  }

  @Test func negativeAndInfiniteThresholdsAreLegal() throws {
    var tensors = try good()
    let thresholds: [Float] = [-1, -0.0, .infinity, -.infinity, 0, 1e30]
    tensors["threshold"] = try Tensor(thresholds, shape: [6])
    tensors["b_enc"] = try Tensor([Float](repeating: 1000, count: 6), shape: [6])
    let dictionary = try open(tensors)
    let code = try dictionary.encode([Tensor([Float](repeating: 0, count: 4), shape: [1, 4])])
    #expect(code.layers[0].features == [0, 1, 3, 4])
    #expect(code.layers[0].activations == [1000, 1000, 1000, 1000])
    // Below zero a feature is off, however low its threshold.
    tensors["b_enc"] = try Tensor([Float](repeating: -0.5, count: 6), shape: [6])
    #expect(try open(tensors).encode([Tensor([Float](repeating: 0, count: 4), shape: [1, 4])]).count == 0)
  }

  @Test func halfPrecisionWeightsRun() throws {
    // Numbers that bf16 and f16 hold exactly.
    let encoder: [Float] = (0..<24).map { Float($0 % 5) - 2 }
    let decoder: [Float] = (0..<24).map { Float($0 % 7) * 0.5 }
    let x = try Tensor([1, 2, -1, 0.5, 0, 1, 1, 1], shape: [2, 4])
    var tensors = try good()
    tensors["w_enc"] = try Tensor(encoder, shape: [4, 6])
    tensors["w_dec"] = try Tensor(decoder, shape: [6, 4])
    let (code, outputs) = try open(tensors).reconstruct([x])
    let wanted = try outputs[0].read()
    for dtype in [DType.bf16, .f16] {
      tensors["w_enc"] = try narrowed(encoder, [4, 6], dtype)
      tensors["w_dec"] = try narrowed(decoder, [6, 4], dtype)
      let dictionary = try open(tensors)
      let (half, halfOutputs) = try dictionary.reconstruct([x])
      #expect(half.layers[0].features == code.layers[0].features)
      #expect(try relativeDifference(halfOutputs[0].read(), wanted.map { Double($0) }) < 1e-6)
      #expect(try dictionary.decoderRow(feature: 5) == Array(decoder[20..<24]))
    }
  }

  /// Numbers that lose nothing in half precision.
  private func narrowed(_ values: [Float], _ shape: [Int], _ dtype: DType) throws -> Tensor {
    let bits = values.map { value -> UInt16 in
      guard dtype == .f16 else { return UInt16(value.bitPattern >> 16) }
      guard value != 0 else { return 0 }
      let exponent = UInt16(truncatingIfNeeded: Int(value.exponent) + 15)
      return (value < 0 ? 0x8000 : 0) | exponent << 10 | UInt16(truncatingIfNeeded: value.significandBitPattern >> 13)
    }
    let storage = try HostStorage(byteCount: bits.count * 2)
    bits.withUnsafeBytes { storage.bytes.copyMemory(from: $0) }
    return try Tensor(storage: storage, shape: shape, dtype: dtype)
  }
}
