import Checkpoints
import Foundation
import Gemma
import Tensors
import TestSupport
import Testing

/// config.json and GGUF headers, whole, partial and contradictory.
@Suite struct ConfigurationTests {
  private static func json(_ name: String) throws -> [String: Any] {
    let data = try Data(contentsOf: Fixtures.url("gemma/\(name)"))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  private func parse(_ fields: [String: Any]) throws -> GemmaConfiguration {
    let data = try JSONSerialization.data(withJSONObject: fields)
    return try GemmaConfiguration(huggingFace: [UInt8](data), file: "config.json")
  }

  /// Layers, width, query heads, key heads, head size, MLP width, window and query scalar of the five released sizes.
  @Test(arguments: [
    ("270m", [18, 640, 4, 1, 256, 2048, 512], 256.0, 1.0), ("1b", [26, 1152, 4, 1, 256, 6912, 512], 256, 1),
    ("4b", [34, 2560, 8, 4, 256, 10240, 1024], 256, 8), ("12b", [48, 3840, 16, 8, 256, 15360, 1024], 256, 8),
    ("27b", [62, 5376, 32, 16, 128, 21504, 1024], 168, 8),
  ])
  func releasedSizes(name: String, sizes: [Int], queryScalar: Double, ropeScale: Double) throws {
    let c = try parse(try Self.json("configs/\(name).json"))
    #expect(
      [c.layers, c.width, c.queryHeads, c.keyValueHeads, c.headDimension, c.feedForward, c.slidingWindow] == sizes)
    #expect(c.queryScalar == queryScalar && c.globalRopeScale == ropeScale)
    #expect(c.globalRopeBase == 1_000_000 && c.localRopeBase == 10_000 && c.normEpsilon == 1e-6)
    #expect(c.isGlobal == (1...c.layers).map { $0 % 6 == 0 })
  }

  @Test func ggufHeaderEqualsTheSource() throws {
    let source = try GemmaCheckpoint(Fixtures.url("gemma/causal")).configuration
    var gguf = try GemmaCheckpoint(Fixtures.url("gguf/tiny-f32.gguf")).configuration
    gguf.endTokens = source.endTokens
    #expect(gguf == source)
  }

  @Test(arguments: [
    "num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
    "vocab_size", "sliding_window", "max_position_embeddings", "query_pre_attn_scalar", "rms_norm_eps", "model_type",
  ])
  func aMissingFieldOfATextModelIsNamed(field: String) throws {
    var fields = try Self.json("causal/config.json")
    fields[field] = nil
    expectFault(fields, field, "is missing")
  }

  @Test func faultsAreNamed() throws {
    let sound = try Self.json("causal/config.json")
    func fault(_ changes: [String: Any], _ field: String, _ part: String) {
      expectFault(sound.merging(changes) { $1 }, field, part)
    }
    fault(["num_hidden_layers": 1_000_000_000_000], "num_hidden_layers", "expected")
    fault(["num_hidden_layers": -3], "num_hidden_layers", "expected")
    fault(["num_hidden_layers": 8], "layer_types", "contradicts")
    fault(["num_hidden_layers": 8, "_sliding_window_pattern": NSNull()], "layer_types", "names 7 layers")
    fault(["_sliding_window_pattern": 3], "layer_types", "contradicts")
    fault(["_sliding_window_pattern": 0], "sliding_window_pattern", "at least 1")
    fault(["layer_types": ["other"]], "layer_types", "other")
    fault(["layer_types": 3], "layer_types", "not a list")
    fault(["hidden_size": "wide"], "hidden_size", "not a whole number")
    fault(["hidden_size": 1.5], "hidden_size", "not a whole number")
    fault(["num_key_value_heads": 3], "num_key_value_heads", "does not divide")
    fault(["head_dim": 15], "head_dim", "even")
    fault(["rms_norm_eps": 0], "rms_norm_eps", "positive")
    fault(["hidden_activation": "relu"], "hidden_activation", "gelu_pytorch_tanh")
    fault(["final_logit_softcapping": 30.0], "final_logit_softcapping", "soft-capping")
    fault(["attention_bias": true], "attention_bias", "expected false")
    fault(["use_bidirectional_attention": true], "use_bidirectional_attention", "causal")
    fault(["model_type": "llama"], "model_type", "gemma3_text")
    fault(["eos_token_id": "x"], "eos_token_id", "token id")
    fault(
      ["rope_parameters": ["full_attention": ["rope_theta": 1e6, "rope_type": "yarn"]]], "sliding_attention", "missing")
    let local: [String: Any] = ["rope_theta": 1e4, "rope_type": "default"]
    fault(
      ["rope_parameters": ["full_attention": ["rope_theta": 1e6, "rope_type": "yarn"], "sliding_attention": local]],
      "rope_type", "linear")
  }

  @Test func aLyingConfigurationMeetsTheWeights() throws {
    let folder = try TemporaryDirectory()
    let source = Fixtures.url("gemma/causal/model.safetensors")
    try FileManager.default.copyItem(at: source, to: folder.url.appending(path: "model.safetensors"))
    var fields = try Self.json("causal/config.json")
    fields["intermediate_size"] = 64
    _ = try folder.write(try JSONSerialization.data(withJSONObject: fields), as: "config.json")
    let expected = GemmaError.weight(
      file: folder.url.appending(path: "model.safetensors").path, name: "model.layers.0.mlp.gate_proj.weight",
      expected: [64, 32], found: [48, 32])
    #expect(throws: expected) {
      try GemmaModel(contentsOf: folder.url, backend: try NativeBackend(threads: 1))
    }
  }

  @Test(arguments: ["model.norm.weight", "model.layers.1.self_attn.q_proj.weight"])
  func aWeightOfAnotherElementTypeIsNamed(_ name: String) throws {
    let folder = try TemporaryDirectory()
    let source = try SafetensorsFile(Fixtures.url("gemma/causal/model.safetensors"))
    var tensors: [String: Tensor] = [:]
    for name in source.names { tensors[name] = try source.tensor(name) }
    let shape = try source.info(name).shape
    tensors[name] = try Tensor(integers: [Int32](repeating: 0, count: shape.reduce(1, *)), shape: shape)
    let file = folder.url.appending(path: "model.safetensors")
    try SafetensorsWriter.write(tensors, to: file)
    try FileManager.default.copyItem(
      at: Fixtures.url("gemma/causal/config.json"), to: folder.url.appending(path: "config.json"))
    do {
      _ = try GemmaModel(contentsOf: folder.url, backend: try NativeBackend(threads: 1))
      Issue.record("took whole numbers for weights")
    } catch CheckpointError.unsupported(let path, let tensor, let found, let expected) {
      #expect(path == file.path && tensor == name && found == "I32" && expected.hasPrefix("F32, F16, BF16"))
    }
  }

  @Test func foldersAndFilesThatAreNoModels() throws {
    let folder = try TemporaryDirectory()
    #expect(throws: GemmaError.self) { try GemmaCheckpoint(folder.url) }
    #expect(throws: GemmaError.self) { try GemmaCheckpoint(folder.url.appending(path: "absent")) }
    let file = try folder.write(Array("not a model".utf8), as: "model.gguf")
    #expect(throws: (any Error).self) { try GemmaCheckpoint(file) }
    _ = try folder.write(Array("{".utf8), as: "config.json")
    #expect(throws: GemmaError.self) { try GemmaCheckpoint(folder.url) }
    #expect(throws: GemmaError.self) { try GemmaConfiguration(huggingFace: Array("[]".utf8), file: "config.json") }
    let twice = Array(#"{"model_type":"gemma3_text","model_type":"gemma3"}"#.utf8)
    #expect(throws: GemmaError.self) { try GemmaConfiguration(huggingFace: twice, file: "config.json") }
  }

  private func expectFault(
    _ fields: [String: Any], _ field: String, _ part: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    do {
      _ = try parse(fields)
      Issue.record("accepted a configuration with a fault in \(field)", sourceLocation: sourceLocation)
    } catch {
      let text = "\(error)"
      #expect(text.contains(field) && text.contains(part), "\(text)", sourceLocation: sourceLocation)
    }
  }
}
