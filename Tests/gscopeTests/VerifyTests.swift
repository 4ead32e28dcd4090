import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct VerifyTests {
  private typealias Tool = CommandLineTool

  /// Twelve tokens, fewer than the width, so that one site is an exact linear function of another.
  private static let ids = "2,11,57,103,24,88,199,250,31,140,77,64"

  /// The activations of those tokens but `<bos>` at two sites.
  private func activations(_ sites: [String], in directory: TemporaryDirectory) throws -> [[[Double]]] {
    let file = directory.url.appending(path: "activations.safetensors")
    let result = try Tool.run(
      "activations", "--tokens", Self.ids, "--site", sites.joined(separator: ","), "--save", file.path)
    #expect(result.status == 0, "\(result.errors)")
    let saved = try SafetensorsFile(file)
    return try sites.map { site in
      try (1..<12).map { try saved.tensor(site).rows($0..<$0 + 1).read().map(Double.init) }
    }
  }

  /// Writes a dictionary whose features are ± each input coordinate when it `encodes`, and otherwise never fire.
  private func write(
    _ folder: URL, config: String, decoder: [Float], skip: [Float]? = nil, encodes: Bool, card: String? = nil
  ) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let (width, d) = (64, 32)
    var encoder = [Float](repeating: 0, count: d * width)
    if encodes {
      for i in 0..<d {
        encoder[i * width + i] = 1
        encoder[i * width + d + i] = -1
      }
    }
    var tensors: [String: Tensor] = [
      "w_enc": try Tensor(encoder, shape: [d, width]), "w_dec": try Tensor(decoder, shape: [width, d]),
      "b_enc": try Tensor([Float](repeating: 0, count: width), shape: [width]),
      "threshold": try Tensor([Float](repeating: 0, count: width), shape: [width]),
      "b_dec": try Tensor([Float](repeating: 0, count: d), shape: [d]),
    ]
    tensors["affine_skip_connection"] = try skip.map { try Tensor($0, shape: [d, d]) }
    try SafetensorsWriter.write(tensors, to: folder.appending(path: "params.safetensors"))
    try Data(config.utf8).write(to: folder.appending(path: "config.json"))
    if let card { try Data(card.utf8).write(to: folder.appending(path: "training.json")) }
  }

  private func config(
    _ kind: String, _ input: String, _ output: String, affine: Bool = false, l0: Int? = 32
  ) -> String {
    let target = l0.map { "\"l0\":\($0)," } ?? ""
    return """
      {"type":"\(kind)","hf_hook_point_in":"\(input)","hf_hook_point_out":"\(output)","width":64,\(target)
      "architecture":"jump_relu","affine_connection":\(affine),"model_name":"tiny"}
      """
  }

  /// f = (x⁺, x⁻), decoded to M x for a matrix given row-major as [in, out].
  private func decoder(_ matrix: (Int, Int) -> Float) -> [Float] {
    (0..<64).flatMap { f in (0..<32).map { j in f < 32 ? matrix(f, j) : -matrix(f - 32, j) } }
  }

  private func verify(_ folder: URL, _ more: String...) throws -> Tool.Result {
    try Tool.run(
      ["verify", "--model", Tool.model, "--dictionary", folder.path, "--tokens", Self.ids, "--json"] + more)
  }

  @Test func anExactDictionaryIsAsExpected() throws {
    let directory = try TemporaryDirectory()
    let folder = directory.url.appending(path: "exact")
    try write(
      folder, config: config("sae", "model.layers.3.output", "model.layers.3.output"),
      decoder: decoder { $0 == $1 ? 1 : 0 }, encodes: true, card: #"{"card":{"l0":32,"fvu":0.01,"delta_loss":0}}"#)
    let result = try verify(folder)
    #expect(result.status == 0, "\(result.errors)")
    let json = try result.json()
    #expect(json["ok"] as? Bool == true)
    #expect(abs(try #require(json["fvu"] as? Double)) < 1e-9)
    #expect(abs(try #require(json["delta_loss"] as? Double)) < 1e-4)
    #expect(json["l0"] as? Double == 32)
    #expect(json["tokens"] as? Int == 11)
    #expect((json["reference"] as? [String: Any])?["source"] as? String == "training.json")
  }

  @Test func aCardThatIsMissedFails() throws {
    let directory = try TemporaryDirectory()
    let folder = directory.url.appending(path: "half")
    // Half of every coordinate: FVU about 1/4.
    try write(
      folder, config: config("sae", "model.layers.3.output", "model.layers.3.output"),
      decoder: decoder { $0 == $1 ? 0.5 : 0 }, encodes: true, card: #"{"card":{"l0":32,"fvu":0.05}}"#)
    let result = try verify(folder)
    #expect(result.status == 1)
    #expect(result.errors.contains("the card says 5.00 %"), "\(result.errors)")
    let json = try result.json()
    #expect(json["ok"] as? Bool == false)
    #expect(try #require(json["delta_loss"] as? Double) != 0)
  }

  @Test func anotherSiteIsNamed() throws {
    let directory = try TemporaryDirectory()
    let pairs = try activations(["mlp_in.2", "resid_post.2"], in: directory)
    let map = leastNormMap(from: pairs[0], to: pairs[1])
    let folder = directory.url.appending(path: "moved")
    // It writes resid_post, but is said to write mlp_out.
    try write(
      folder,
      config: config(
        "transcoder", "model.layers.2.pre_feedforward_layernorm.output",
        "model.layers.2.post_feedforward_layernorm.output"),
      decoder: decoder { Float(map[$0][$1]) }, encodes: true)
    let result = try verify(folder)
    #expect(result.status == 1)
    #expect(try result.json()["likely_fault"] as? String == "it writes resid_post.2, not mlp_out.2")
    // At the other site 32 features are on a token: were it made for 2, that would not explain it.
    try write(
      folder,
      config: config(
        "transcoder", "model.layers.2.pre_feedforward_layernorm.output",
        "model.layers.2.post_feedforward_layernorm.output", l0: 2),
      decoder: decoder { Float(map[$0][$1]) }, encodes: true)
    let unexplained = try verify(folder)
    #expect(unexplained.status == 1)
    #expect(try unexplained.json()["likely_fault"] is NSNull)
  }

  /// Variants are measured on what the dictionary is measured on: here two pieces of six and seven tokens.
  @Test func variantsCountEveryPiece() throws {
    let directory = try TemporaryDirectory()
    let folder = directory.url.appending(path: "half")
    try write(
      folder, config: config("sae", "model.layers.3.output", "model.layers.3.output"),
      decoder: decoder { $0 == $1 ? 0.5 : 0 }, encodes: true)
    let tried = try verify(folder, "--context", "6", "--skip-loss", "--variants").json()
    let variants = try #require(tried["variants"] as? [[String: Any]])
    let moved = try #require(variants.first { $0["name"] as? String == "reads resid_post.2" })
    let there = try verify(folder, "--context", "6", "--skip-loss", "--at", "resid_post.2").json()
    #expect(there["tokens"] as? Int == 11)
    #expect(moved["l0"] as? Double == there["l0"] as? Double)
    let fvu = try #require(there["fvu"] as? Double)
    #expect(abs(try #require(moved["fvu"] as? Double) - fvu) < 1e-9 * fvu)
  }

  @Test func aTransposedSkipIsNamed() throws {
    let directory = try TemporaryDirectory()
    let pairs = try activations(["mlp_in.2", "mlp_out.2"], in: directory)
    let map = leastNormMap(from: pairs[0], to: pairs[1])
    let folder = directory.url.appending(path: "skip")
    let configuration = config(
      "transcoder", "model.layers.2.pre_feedforward_layernorm.output",
      "model.layers.2.post_feedforward_layernorm.output", affine: true, l0: nil)
    func skip(_ value: (Int, Int) -> Double) -> [Float] {
      (0..<32).flatMap { i in (0..<32).map { Float(value(i, $0)) } }
    }
    let silent = [Float](repeating: 0, count: 64 * 32)
    // No feature is ever on, so there is no target: the FVU tells.
    try write(folder, config: configuration, decoder: silent, skip: skip { map[$0][$1] }, encodes: false)
    let right = try verify(folder).json()
    #expect(try #require(right["fvu"] as? Double) < 1e-4)
    try write(folder, config: configuration, decoder: silent, skip: skip { map[$1][$0] }, encodes: false)
    let wrong = try verify(folder)
    #expect(wrong.status == 1)
    let fault = try #require(try wrong.json()["likely_fault"] as? String, "\(wrong.output)")
    #expect(fault.contains("transposed"), "\(fault)")
  }

  /// The map M of least norm with x M = y for every pair: Xᵀ (X Xᵀ)⁻¹ Y.
  private func leastNormMap(from x: [[Double]], to y: [[Double]]) -> [[Double]] {
    let n = x.count
    // [X Xᵀ | Y], brought to the identity on the left.
    var rows = (0..<n).map { i in (0..<n).map { j in zip(x[i], x[j]).reduce(0) { $0 + $1.0 * $1.1 } } + y[i] }
    for column in 0..<n {
      let pivot = (column..<n).max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
      rows.swapAt(column, pivot)
      let lead = rows[column][column]
      rows[column] = rows[column].map { $0 / lead }
      for other in 0..<n where other != column {
        let factor = rows[other][column]
        rows[other] = zip(rows[other], rows[column]).map { $0 - factor * $1 }
      }
    }
    return (0..<x[0].count).map { i in
      (0..<y[0].count).map { j in (0..<n).reduce(0) { $0 + x[$1][i] * rows[$1][n + j] } }
    }
  }

  @Test func publishedFiguresStandBesideADictionaryWithoutCard() throws {
    let directory = try TemporaryDirectory()
    let folder = directory.url.appending(path: "plain")
    try write(
      folder, config: config("sae", "model.layers.3.output", "model.layers.3.output"),
      decoder: decoder { $0 == $1 ? 1 : 0 }, encodes: true)
    let result = try Tool.run(
      ["verify", "--model", Tool.model, "--dictionary", folder.path, "--context", "16", "--max-tokens", "64"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("published"))
    #expect(result.output.contains("as expected"))
  }
}
