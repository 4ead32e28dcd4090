import Foundation
import TestSupport
import Testing

@Suite struct ConvertTests {
  private typealias Tool = CommandLineTool

  @Test(arguments: [
    ("resid_post/layer_3_width_37_l0_small", ["gemma-scope-2", "compact", "saelens"]),
    ("transcoder/layer_4_width_53_l0_small_affine", ["gemma-scope-2", "compact", "saelens", "circuit-tracer"]),
    ("crosscoder/layer_1_2_4_6_width_148_l0_medium", ["gemma-scope-2", "compact"]),
    ("clt/width_203_l0_big", ["gemma-scope-2", "compact", "circuit-tracer"]),
  ])
  func thereAndBack(_ path: String, layouts: [String]) throws {
    let directory = try TemporaryDirectory()
    let original = try Tool.run(["info", Tool.dictionary(path), "--json"]).json()
    for layout in layouts {
      let there = directory.url.appending(path: layout).path
      let result = try Tool.run(["convert", Tool.dictionary(path), "--to", layout, "--output", there, "--json"])
      #expect(result.status == 0, "\(result.errors)")
      let json = try result.json()
      #expect(json["to"] as? String == layout)
      #expect((json["error"] is NSNull) == (layout != "compact"))
      let back = directory.url.appending(path: "back-\(layout)").path
      let second = try Tool.run(["convert", there, "--to", "gemma-scope-2", "-o", back])
      #expect(second.status == 0, "\(second.errors)")
      let info = try Tool.run(["info", back, "--json"]).json()
      for key in ["dictionary_kind", "width", "features_per_layer", "input_width", "output_width", "affine", "model"] {
        #expect("\(info[key] ?? "none")" == "\(original[key] ?? "none")", "\(layout) \(key)")
      }
      #expect(info["reads"] as? [String] == original["reads"] as? [String])
      // Taken: nothing is replaced.
      #expect(try Tool.run(["convert", there, "--to", "compact", "--output", back]).status == 1)
    }
  }

  @Test func theCompactFormIsUsedAsItIs() throws {
    let directory = try TemporaryDirectory()
    let compact = directory.url.appending(path: "compact").path
    let source = Tool.dictionary("resid_post/layer_3_width_37_l0_small")
    #expect(try Tool.run(["convert", source, "--to", "compact", "--output", compact]).status == 0)
    #expect(try Tool.run(["info", compact, "--json"]).json()["compact"] as? Bool == true)
    let ids = "2,11,57,103,24,88"
    let figures = try [source, compact].map { path in
      let result = try Tool.run("features", "--dictionary", path, "--tokens", ids, "--json")
      #expect(result.status == 0, "\(result.errors)")
      let dictionaries = try #require(try result.json()["dictionaries"] as? [[String: Any]])
      return try #require(dictionaries[0]["fvu_prompt"] as? Double)
    }
    #expect(abs(figures[0] - figures[1]) < 0.05 * abs(figures[0]))
    let verified = try Tool.run("verify", "--dictionary", compact, "--tokens", ids, "--variants", "--json")
    #expect(try verified.json()["l0"] as? Double != nil, "\(verified.errors)")
    let intervened = try Tool.run(
      "intervene", "--dictionary", "d=\(compact)", "--tokens", ids, "--steer", "d#3=2", "--json")
    #expect(intervened.status == 0, "\(intervened.errors)")
  }

  @Test func usageAndFailures() throws {
    let directory = try TemporaryDirectory()
    let source = Tool.dictionary("resid_post/layer_3_width_37_l0_small")
    let output = directory.url.appending(path: "out").path
    for arguments in [
      ["convert", source, "--output", output], ["convert", source, "--to", "onnx", "--output", output],
      ["convert", source, "--to", "compact"],
      ["convert", source, "--to", "compact", "--output", output, "--top-k", "3"],
      ["convert", source, "--to", "sparsify", "--output", output, "--top-k", "0"],
    ] {
      let result = try Tool.run(arguments)
      #expect(result.status == 2, "\(arguments): \(result.errors)")
    }
    let crosscoder = Tool.dictionary("crosscoder/layer_1_2_4_6_width_148_l0_medium")
    for (arguments, words) in [
      (["convert", "/nowhere", "--to", "compact", "--output", output], "/nowhere"),
      (["convert", source, "--to", "sparsify", "--output", output], "--top-k"),
      (["convert", source, "--to", "circuit-tracer", "--output", output], "sae"),
      (["convert", crosscoder, "--to", "saelens", "--output", output], "crosscoder"),
      (["convert", source, "--to", "compact", "--output", directory.url.path + "/file/x"], "file"),
    ] {
      _ = try directory.write([1], as: "file")
      let result = try Tool.run(arguments)
      #expect(result.status == 1, "\(arguments): \(result.errors)")
      #expect(result.errors.contains(words) && result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["file"])
    let approximate = try Tool.run(["convert", source, "--to", "sparsify", "--top-k", "18", "--output", output])
    #expect(approximate.status == 0, "\(approximate.errors)")
  }
}
