import Checkpoints
import Dictionaries
import Evaluation
import Foundation
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// Texts of several passes against one pass over the whole.
@Suite struct LongTextTests {
  private typealias Tool = CommandLineTool

  private let directory: TemporaryDirectory
  private let ids: [Int32]
  private let model: GemmaModel

  /// The tiny model with room for 8,192 positions, and a text of three passes.
  init() throws {
    directory = try TemporaryDirectory()
    let source = URL(filePath: Tool.model)
    let json = try JSONSerialization.jsonObject(with: Data(contentsOf: source.appending(path: "config.json")))
    var fields = try #require(json as? [String: Any])
    fields["max_position_embeddings"] = 8192
    _ = try directory.write(try JSONSerialization.data(withJSONObject: fields), as: "config.json")
    for name in ["model.safetensors", "tokenizer.json"] {
      try FileManager.default.createSymbolicLink(
        at: directory.url.appending(path: name), withDestinationURL: source.appending(path: name))
    }
    var random = SeededRandom(seed: 17)
    ids = [2] + (1..<2500).map { _ in Int32(random.int(11...299)) }
    model = try GemmaModel(contentsOf: directory.url, backend: NativeBackend(threads: 1))
  }

  private func run(_ arguments: String...) throws -> Tool.Result {
    let text = ids.map(String.init).joined(separator: ",")
    let result = try Tool.run(arguments + ["--model", directory.url.path, "--tokens", text, "--json"])
    #expect(result.status == 0, "\(result.errors)")
    return result
  }

  @Test func logits() throws {
    let file = directory.url.appending(path: "logits.safetensors")
    let positions = [0, 1023, 1024, 2047, 2499]
    let json = try run(
      "logits", "--positions", positions.map(String.init).joined(separator: ","), "--top-k", "2", "--save", file.path
    ).json()
    let logits = try #require(try model.forward([ids], logits: .all).logits)
    let expected = try positions.flatMap { try logits.rows($0..<$0 + 1).read() }
    expectClose(
      try SafetensorsFile(file).tensor("logits").read(), expected, rowLength: 300, tolerance: 1e-4, "logits")
    let values = try logits.read()
    let normalisers = try model.backend.logSumExp(logits)
    let sum = (0..<2499).reduce(0.0) { $0 + Double(normalisers[$1] - values[$1 * 300 + Int(ids[$1 + 1])]) }
    #expect(abs(try #require(json["loss"] as? Double) - sum / 2499) < 1e-4)
    let listed = try #require(json["positions"] as? [[String: Any]])
    let logprob = try #require(listed[2]["logprob"] as? Double)
    #expect(abs(logprob - Double(values[1023 * 300 + Int(ids[1024])] - normalisers[1023])) < 1e-3)
    #expect(listed.allSatisfy { ($0["top"] as? [Any])?.count == 2 })
  }

  @Test func theLens() throws {
    let json = try run("lens", "--positions", "3,1023,1024", "--top-k", "1").json()
    let layers = try #require(json["layers"] as? [[String: Any]])
    try #require(layers.count == 7)
    for (layer, entry) in layers.enumerated() {
      let site = Site.residPost(layer)
      let stream = try #require(try model.forward([ids], capture: [site], logits: .none).activations[site])
      let expected = try model.backend.topK(
        model.unembed(try model.backend.select(stream, rows: [3, 1023, 1024])), 1)
      let found = try #require(entry["positions"] as? [[String: Any]])
      #expect(found.map { $0["position"] as? Int } == [3, 1023, 1024])
      #expect(
        found.map { ($0["top"] as? [[String: Any]])?.first?["id"] as? Int } == expected.map { $0.first?.index })
    }
  }

  @Test(arguments: ["embed", "embed,attn_out.1,resid_post.2"]) func activations(sites: String) throws {
    let file = directory.url.appending(path: "sites.safetensors")
    _ = try run("activations", "--site", sites, "--save", file.path)
    let saved = try SafetensorsFile(file)
    for name in sites.split(separator: ",").map(String.init) {
      let site = try Site(name)
      let expected = try #require(try model.forward([ids], capture: [site], logits: .none).activations[site])
      let found = try saved.tensor(name)
      #expect(found.shape == expected.shape)
      expectClose(
        try found.read(), try expected.read(), rowLength: expected.rowLength, tolerance: 1e-4, "\(site)")
    }
  }

  @Test func features() throws {
    let path = Tool.dictionary("resid_post/layer_3_width_37_l0_small")
    let file = directory.url.appending(path: "code.safetensors")
    let json = try run("features", "--dictionary", path, "--top-k", "1", "--save", file.path, "--reconstruction").json()
    let dictionary = try SparseDictionary(contentsOf: URL(filePath: path), backend: model.backend)
    let site = Site.residPost(3)
    let x = try #require(try model.forward([ids], capture: [site], logits: .none).activations[site])
    let (code, outputs) = try dictionary.reconstruct([x])
    var measurement = ReconstructionMeasurement(dictionary.shape)
    try measurement.add(code, targets: [x], outputs: outputs, rows: Array(1..<ids.count))
    let figures = measurement.metrics
    let listed = try #require((json["dictionaries"] as? [[String: Any]])?.first)
    #expect(abs(try #require(listed["l0"] as? Double) - (figures.l0.value ?? 0)) < 0.01)
    #expect(abs(try #require(listed["fvu_prompt"] as? Double) - (figures.total.fvu.value ?? 0)) < 1e-3)
    let saved = try SafetensorsFile(file)
    let offsets = try saved.tensor("0.row_offsets").readIntegers()
    #expect(offsets.count == ids.count + 1)
    // Rounding may move single features across their thresholds.
    #expect(zip(offsets, code.layers[0].rowOffsets).allSatisfy { abs($0 - $1) <= 3 })
    #expect(try saved.tensor("0.reconstruction").shape == [ids.count, 32])
  }
}
