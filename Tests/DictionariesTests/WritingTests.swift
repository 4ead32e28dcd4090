import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Testing

/// Dictionaries of every kind written in Gemma Scope 2's layout and opened again.
struct WritingTests {
  @Test(arguments: RandomParameters.kinds, [1, 2, 3, 4])
  func whatIsWrittenOpensWithTheSameNumbers(_ kind: RandomParameters.Kind, seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let parameters = try RandomParameters.make(kind, random: &random)
    let folder = try TemporaryDirectory()
    let place = folder.url.appending(path: "made/here")
    try parameters.write(to: place, training: #"{"card":{"l0":3}}"#)

    let backend = try NativeBackend(threads: 2)
    let dictionary = try SparseDictionary(contentsOf: place, backend: backend)
    #expect(dictionary.shape == parameters.shape)
    #expect(dictionary.modelName == "google/gemma-3-270m")
    #expect(dictionary.targetL0 == 20.5)
    #expect(try DictionaryParameters(dictionary) == parameters)

    let inputs = try RandomParameters.inputs(parameters.shape, tokens: 9, backend: backend, random: &random)
    let (code, outputs) = try dictionary.reconstruct(inputs)
    #expect(code.layers.contains { $0.count > 0 })
    for read in inputs.indices {
      let layer = parameters.layers[read]
      let (d, width) = (parameters.shape.inputWidth, parameters.shape.width)
      let expected = try backend.encode(
        inputs[read], weight: Tensor(layer.encoder, shape: [d, width]),
        bias: Tensor(layer.encoderBias, shape: [width]), threshold: Tensor(layer.threshold, shape: [width]))
      #expect(code.layers[read] == expected)
    }
    // Written again from what was opened: the same files.
    let again = folder.url.appending(path: "again")
    try DictionaryParameters(dictionary).write(to: again)
    let reopened = try SparseDictionary(contentsOf: again, backend: backend)
    let (secondCode, secondOutputs) = try reopened.reconstruct(inputs)
    #expect(secondCode == code)
    for (first, second) in zip(outputs, secondOutputs) { #expect(try first.read() == second.read()) }
    for name in try FileManager.default.contentsOfDirectory(atPath: again.path) {
      #expect(
        try Data(contentsOf: again.appending(path: name)) == Data(contentsOf: place.appending(path: name)), "\(name)")
    }
  }

  @Test(arguments: [
    "resid_post/layer_3_width_37_l0_small", "attn_out/layer_5_width_53_l0_medium",
    "transcoder/layer_4_width_53_l0_small_affine", "crosscoder/layer_1_2_4_6_width_148_l0_medium",
    "clt/width_203_l0_big", "clt/width_203_l0_big_affine",
  ])
  func publishedLayoutsComeBackTensorForTensor(_ path: String) throws {
    let original = Fixtures.url("dictionaries/\(path)")
    let backend = try NativeBackend(threads: 1)
    let folder = try TemporaryDirectory()
    let copy = folder.url.appending(path: "copy")
    try DictionaryParameters(SparseDictionary(contentsOf: original, backend: backend)).write(to: copy)
    let names = try FileManager.default.contentsOfDirectory(atPath: original.path).filter { $0.hasPrefix("params") }
    for name in names {
      let (old, new) = (
        try SafetensorsFile(original.appending(path: name)), try SafetensorsFile(copy.appending(path: name))
      )
      #expect(old.names == new.names)
      for tensor in old.names where !(tensor == "w_dec" && names.count > 1) {
        #expect(try old.info(tensor) == new.info(tensor))
        #expect(try old.tensor(tensor).bytes() == new.tensor(tensor).bytes())
      }
    }
    let keys = { (url: URL) in
      try #require(
        JSONSerialization.jsonObject(with: Data(contentsOf: url.appending(path: "config.json"))) as? [String: Any])
    }
    let (old, new) = (try keys(original), try keys(copy))
    for key in ["hf_hook_point_in", "hf_hook_point_out", "type", "architecture"] {
      #expect(old[key] as? String == new[key] as? String)
    }
    for key in ["l0", "width"] { #expect(old[key] as? Int == new[key] as? Int) }
    #expect(new["affine_connection"] as? Bool == (old["affine_connection"] as? Bool ?? false))
  }

  @Test func anythingAlreadyThereStays() throws {
    var random = SeededRandom(seed: 5)
    let parameters = try RandomParameters.make(.init(kind: .clt, isAffine: false), random: &random)
    let folder = try TemporaryDirectory()
    _ = try folder.write(Array("kept".utf8), as: "metrics.jsonl")
    try parameters.write(to: folder.url)
    let names = Set(try FileManager.default.contentsOfDirectory(atPath: folder.url.path))
    #expect(names.contains("metrics.jsonl"))
    #expect(throws: CheckpointError.self) { try parameters.write(to: folder.url) }
    let changed = try RandomParameters.make(.init(kind: .clt, isAffine: false), random: &random, like: parameters.shape)
    try changed.write(to: folder.url, replacing: true)
    #expect(Set(try FileManager.default.contentsOfDirectory(atPath: folder.url.path)) == names)
    let backend = try NativeBackend(threads: 1)
    #expect(try DictionaryParameters(SparseDictionary(contentsOf: folder.url, backend: backend)) == changed)
    // A file stands where the folder should be.
    #expect(throws: CheckpointError.self) { try parameters.write(to: folder.url.appending(path: "metrics.jsonl")) }
  }

  @Test func aFailureLeavesNothing() throws {
    var random = SeededRandom(seed: 6)
    let parameters = try RandomParameters.make(.init(kind: .crosscoder, isAffine: false), random: &random)
    let folder = try TemporaryDirectory()
    // A folder where a weight file should go: its rename fails after later layers are in place.
    let blocked = folder.url.appending(path: "blocked")
    try FileManager.default.createDirectory(
      at: blocked.appending(path: "params_layer_0.safetensors/x"), withIntermediateDirectories: true)
    #expect(throws: CheckpointError.self) { try parameters.write(to: blocked, replacing: true) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: blocked.path) == ["params_layer_0.safetensors"])
    // Not JSON: found before anything is made.
    let place = folder.url.appending(path: "new")
    #expect(throws: DictionaryError.self) { try parameters.write(to: place, training: "{") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["blocked"])
    // A disk without room.
    var full = parameters
    full.layers[1].decoder.removeLast()
    #expect(throws: DictionaryError.self) { try full.write(to: place) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["blocked"])
  }

  @Test func impossibleShapesAndNumbersAreRefused() throws {
    func shape(
      _ kind: DictionaryKind, _ reads: [Site], _ writes: [Site], _ width: Int = 3, _ inputs: Int = 2, _ outputs: Int = 2
    ) throws {
      _ = try DictionaryShape(
        checking: kind, reads: reads, writes: writes, width: width, inputWidth: inputs, outputWidth: outputs)
    }
    #expect(throws: DictionaryError.self) { try shape(.sae, [], []) }
    #expect(throws: DictionaryError.self) { try shape(.sae, [.residPost(1), .residPost(2)], [.residPost(1)]) }
    #expect(throws: DictionaryError.self) { try shape(.sae, [.residPost(1)], [.residPost(2)]) }
    #expect(throws: DictionaryError.self) { try shape(.sae, [.residPost(1)], [.residPost(1)], 3, 2, 4) }
    #expect(throws: DictionaryError.self) { try shape(.sae, [.residPost(1)], [.residPost(1)], 0) }
    #expect(throws: DictionaryError.self) { try shape(.sae, [.residPost(-1)], [.residPost(-1)]) }
    #expect(throws: DictionaryError.self) { try shape(.transcoder, [.mlpIn(1)], [.mlpIn(1)]) }
    #expect(throws: DictionaryError.self) {
      try shape(.crosscoder, [.residPost(2), .residPost(1)], [.residPost(2), .residPost(1)])
    }
    #expect(throws: DictionaryError.self) { try shape(.clt, [.mlpIn(0), .mlpIn(1)], [.mlpOut(0)]) }

    var random = SeededRandom(seed: 7)
    var parameters = try RandomParameters.make(.init(kind: .transcoder, isAffine: true), random: &random)
    parameters.layers[0].threshold[0] = .infinity
    try parameters.check()
    parameters.layers[0].encoder[0] = .nan
    #expect(throws: DictionaryError.self) { try parameters.check() }
    parameters.layers[0].encoder[0] = 0
    parameters.layers[0].skip = nil
    #expect(throws: DictionaryError.self) { try parameters.check() }
  }
}
