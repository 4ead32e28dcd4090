import Foundation
import TestSupport
import Testing

@Suite struct InfoTests {
  private typealias Tool = CommandLineTool

  private func info(_ path: String) throws -> [String: Any] {
    let result = try Tool.run(["info", path, "--json"])
    #expect(result.status == 0, "\(result.errors)")
    return try result.json()
  }

  @Test func aModel() throws {
    let json = try info(Tool.model)
    #expect(json["schema"] as? Int == 1)
    #expect(json["kind"] as? String == "model")
    #expect(json["layers"] as? Int == 7)
    #expect(json["width"] as? Int == 32)
    #expect(json["vocabulary"] as? Int == 300)
    #expect(json["global_layers"] as? [Int] == [5])
    let bytes = try #require(json["bytes"] as? Int)
    #expect(bytes == 4 * (try #require(json["parameters"] as? Int)))
    // Keys and values: 2 heads of 16, twice, 4 bytes; read in one pass, every layer has 1,000.
    #expect(json["cache_bytes_1000_tokens"] as? Int == 2 * 2 * 16 * 4 * 7 * 1000)
    #expect(try info(Fixtures.url("gguf/tiny-q8_0.gguf").path)["format"] as? String == "gguf")
  }

  @Test func aDictionary() throws {
    let json = try info(Tool.dictionary("clt/width_203_l0_big_affine"))
    #expect(json["kind"] as? String == "dictionary")
    #expect(json["dictionary_kind"] as? String == "clt")
    #expect(json["affine"] as? Bool == true)
    #expect(json["width"] as? Int == 203)
    #expect(json["features_per_layer"] as? Int == 29)
    #expect((json["reads"] as? [String])?.count == 7)
    #expect(json["l0"] as? Double == 150)
    #expect(json["memory_bytes"] as? Int == json["bytes"] as? Int)
  }

  @Test func aDictionaryThatDoesNotTellItsSite() throws {
    let directory = try TemporaryDirectory()
    let source = URL(filePath: Tool.dictionary("resid_post/layer_3_width_37_l0_small/params.safetensors"))
    try FileManager.default.copyItem(at: source, to: directory.url.appending(path: "params.safetensors"))
    for command in [["info", directory.url.path], ["features", "--tokens", "2", "--dictionary", directory.url.path]] {
      let result = try Tool.run(command + (command[0] == "features" ? ["--model", Tool.model] : []))
      #expect(result.status == 1)
      #expect(result.errors.contains("--at SITE"), "\(result.errors)")
    }
    let json = try Tool.run(["info", directory.url.path, "--at", "resid_post.3", "--json"]).json()
    #expect(json["reads"] as? [String] == ["resid_post.3"])
    #expect(try Tool.run(["info", Tool.model, "--at", "resid_post.3"]).status == 2)
  }

  @Test(.enabled(if: geteuid() != 0, "the superuser reads every folder")) func aFolderThatCannotBeRead() throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: directory.url.path)
    defer { try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: directory.url.path) }
    let result = try Tool.run(["info", directory.url.path])
    #expect(result.errors == "gscope: error: \(directory.url.path): cannot be read\n")
  }

  @Test func aFileOfTensors() throws {
    let json = try info(Fixtures.url("gemma/causal/dumps.safetensors").path)
    #expect(json["kind"] as? String == "tensors")
    let tensors = try #require(json["tensors"] as? [[String: Any]])
    let embed = try #require(tensors.first { $0["name"] as? String == "p0.embed" })
    #expect(embed["shape"] as? [Int] == [23, 32])
    #expect(embed["type"] as? String == "F32")
  }

  @Test func aSuite() throws {
    let directory = try TemporaryDirectory()
    let suite = """
      {"schema":1,"model":{"name":"google/gemma-3-270m"},
      "dictionaries":[{"path":"a","kind":"sae","sites":["resid_post.3"],"width":37}]}
      """
    _ = try directory.write(Array(suite.utf8), as: "suite.json")
    let json = try info(directory.url.path)
    #expect(json["kind"] as? String == "suite")
    #expect((json["dictionaries"] as? [[String: Any]])?.first?["name"] as? String == "a")
  }

  @Test func whatIsNoneOfThese() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write([1, 2, 3], as: "notes.txt")
    for path in [file.path, directory.url.path, "/nowhere/at/all"] {
      let result = try Tool.run(["info", path])
      #expect(result.status == 1)
      #expect(result.errors.contains(path), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1)
    }
  }
}
