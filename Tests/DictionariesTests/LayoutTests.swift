import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Testing

/// How kind and sites are found, and what is refused.
struct LayoutTests {
  let folder: TemporaryDirectory
  let backend: NativeBackend

  init() throws {
    folder = try TemporaryDirectory()
    backend = try NativeBackend(threads: 1)
  }

  private func make(layers: Int = 1, isAffine: Bool = false, outputs: Int = 4) -> ReferenceDictionary {
    var random = SeededRandom(seed: 3)
    return ReferenceDictionary(
      inputs: 4, outputs: outputs, features: 6, layers: layers, isAffine: isAffine, random: &random)
  }

  /// Opens a dictionary written to `path` below the temporary folder.
  private func open(
    _ path: String, config: String?, layers: Int = 1, isMultiLayer: Bool? = nil, isAffine: Bool = false,
    outputs: Int = 4,
    site: Site? = nil
  ) throws -> SparseDictionary {
    let url = folder.url.appending(path: path)
    try make(layers: layers, isAffine: isAffine, outputs: outputs)
      .write(to: url, isMultiLayer: isMultiLayer ?? (layers > 1), config: config)
    return try SparseDictionary(contentsOf: url, site: site, backend: backend)
  }

  /// The error of opening it, as text.
  private func refusal(
    config: String?, layers: Int = 1, isMultiLayer: Bool? = nil, isAffine: Bool = false, outputs: Int = 4,
    site: Site? = nil
  ) -> String {
    let error = #expect(throws: DictionaryError.self) {
      try open(
        UUID().uuidString, config: config, layers: layers, isMultiLayer: isMultiLayer, isAffine: isAffine,
        outputs: outputs, site: site)
    }
    return error?.description ?? ""
  }

  @Test(arguments: [
    ("resid_post/layer_9_width_16k_l0_small", DictionaryKind.sae, Site.residPost(9), Site.residPost(9)),
    ("attn_out_all/layer_0_width_16k_l0_big", .sae, .attnOut(0), .attnOut(0)),
    ("mlp_out/layer_12_width_1m_l0_medium_seed_1", .sae, .mlpOut(12), .mlpOut(12)),
    ("transcoder/layer_5_width_65k_l0_small", .transcoder, .mlpIn(5), .mlpOut(5)),
  ])
  func foldersWithoutConfiguration(_ path: String, _ kind: DictionaryKind, _ reads: Site, _ writes: Site) throws {
    let dictionary = try open("gemma-scope-2-270m-pt/" + path, config: nil)
    #expect(dictionary.shape.kind == kind)
    #expect(dictionary.shape.reads == [reads])
    #expect(dictionary.shape.writes == [writes])
    #expect(dictionary.modelName == "google/gemma-3-270m")
    #expect(dictionary.name == path)
  }

  @Test func multiLayerFoldersWithoutConfiguration() throws {
    let crosscoder = try open("crosscoder/layer_5_9_12_width_65k_l0_medium", config: nil, layers: 3)
    #expect(crosscoder.shape.reads == [5, 9, 12].map { .residPost($0) })
    let clt = try open("clt/width_262k_l0_big_affine", config: nil, layers: 2, isAffine: true)
    #expect(clt.shape.writes == [.mlpOut(0), .mlpOut(1)])
    #expect(clt.shape.isAffine)
    let one = try open("crosscoder/layer_5_width_1k_l0_big", config: nil, isMultiLayer: true)
    #expect(one.shape.kind == .crosscoder)
  }

  @Test func configurationWinsOverThePath() throws {
    let dictionary = try open("resid_post/layer_9_width_16k_l0_small", config: configJSON(width: 6))
    #expect(dictionary.shape.reads == [.residPost(3)])
  }

  @Test func kindFollowsFromHooksWhenMissing() throws {
    #expect(try open("a", config: configJSON(type: nil)).shape.kind == .sae)
    let hooks = ("model.layers.3.pre_feedforward_layernorm.output", "model.layers.3.post_feedforward_layernorm.output")
    #expect(try open("b", config: configJSON(type: nil, reads: hooks.0, writes: hooks.1)).shape.kind == .transcoder)
    #expect(try open("c", config: configJSON(type: nil, reads: hooks.0, writes: nil)).shape.writes == [.mlpOut(3)])
  }

  @Test func affineKeyMayBeMissing() throws {
    #expect(try open("plain", config: configJSON()).shape.isAffine == false)
    #expect(try open("skip", config: configJSON(), isAffine: true).shape.isAffine)
    let error = #expect(throws: DictionaryError.self) {
      try open("transcoder/layer_4_width_6_l0_small_affine", config: nil)
    }
    #expect(error?.description.contains("by the folder's name") == true)
  }

  @Test func siteMayBeGiven() throws {
    #expect(refusal(config: nil).contains("name it"))
    #expect(try open("d", config: nil, site: .residPost(7)).shape.reads == [.residPost(7)])
    #expect(try open("d", config: nil, site: .mlpIn(7)).shape.writes == [.mlpOut(7)])
    #expect(try open("d", config: configJSON(), site: .attnOut(2)).shape.reads == [.attnOut(2)])
    #expect(refusal(config: configJSON(), site: .mlpIn(2)).contains("only transcoders"))
    let crosscoder = configJSON(
      type: "crosscoder", reads: "model.layers.{1,2}.output", writes: "model.layers.{1,2}.output")
    #expect(refusal(config: crosscoder, layers: 2, site: .residPost(1)).contains("cannot be moved"))
  }

  @Test func contradictionsNameBothSides() {
    let width = refusal(config: configJSON(width: 7))
    #expect(width.contains("width 7") && width.contains("6 features"))
    let affine = refusal(config: configJSON(affine: true))
    #expect(affine.contains("affine_connection true") && affine.contains("no tensor 'affine_skip_connection'"))
    #expect(refusal(config: configJSON(affine: false), isAffine: true).contains("affine_connection false"))
    #expect(refusal(config: configJSON(type: "clt")).contains("type 'clt'"))
    #expect(refusal(config: configJSON(), outputs: 5).contains("rows of 4"))
    #expect(refusal(config: configJSON(writes: "model.layers.4.output")).contains("hf_hook_point_out"))
    let three = configJSON(
      type: "crosscoder", reads: "model.layers.{1,2,5}.output", writes: "model.layers.{1,2,5}.output")
    #expect(refusal(config: three, layers: 2).contains("params_layer_2.safetensors is missing"))
  }

  @Test func partialFoldersNameWhatIsMissing() throws {
    let all = configJSON(
      type: "clt", reads: "model.layers.{all}.pre_feedforward_layernorm.output",
      writes: "model.layers.{all}.post_feedforward_layernorm.output")
    _ = try open("clt", config: all, layers: 3)
    let url = folder.url.appending(path: "clt")
    // The last file gone: the axis of writes in the others tells.
    try FileManager.default.removeItem(at: url.appending(path: "params_layer_2.safetensors"))
    let last = #expect(throws: DictionaryError.self) { try SparseDictionary(contentsOf: url, backend: backend) }
    #expect(last?.description.contains("tensor 'w_dec': expected shape [6, 2, 4], found [6, 3, 4]") == true)
    try make(layers: 3).write(to: url, isMultiLayer: true)
    try FileManager.default.removeItem(at: url.appending(path: "params_layer_1.safetensors"))
    let middle = #expect(throws: DictionaryError.self) { try SparseDictionary(contentsOf: url, backend: backend) }
    #expect(middle?.description.contains("params_layer_1.safetensors is missing") == true)
  }

  @Test func bothLayoutsInOneFolderAreRefused() throws {
    let url = folder.url.appending(path: "both")
    try make().write(to: url, config: configJSON())
    try make(layers: 2).write(to: url, isMultiLayer: true)
    let error = #expect(throws: DictionaryError.self) { try SparseDictionary(contentsOf: url, backend: backend) }
    #expect(error?.description.contains("holds both") == true)
  }

  @Test func whatIsNoDictionaryIsRefused() throws {
    for url in [folder.url, folder.url.appending(path: "absent"), try folder.write([1, 2], as: "notes.txt")] {
      #expect(throws: DictionaryError.self) { try SparseDictionary(contentsOf: url, backend: backend) }
    }
    let broken = try folder.write([1, 2, 3], as: "params.safetensors")
    #expect(throws: CheckpointError.self) {
      try SparseDictionary(contentsOf: broken, site: .residPost(1), backend: backend)
    }
  }
}
