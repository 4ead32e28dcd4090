import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ActivationsTests {
  private typealias Tool = CommandLineTool

  @Test func savedActivationsAreTheReferences() throws {
    let dumps = try SafetensorsFile(Fixtures.url("gemma/causal/dumps.safetensors"))
    let ids = try dumps.tensor("p0.tokens").readIntegers().map(String.init).joined(separator: ",")
    let directory = try TemporaryDirectory()
    let file = directory.url.appending(path: "sites.safetensors")
    let result = try Tool.run(
      "activations", "--tokens", ids, "--site", "embed,attn_out.3", "--site", "mlp_out.all", "--save", file.path,
      "--json")
    #expect(result.status == 0, "\(result.errors)")
    let saved = try SafetensorsFile(file)
    let sites = ["embed", "attn_out.3"] + (0..<7).map { "mlp_out.\($0)" }
    #expect(Set(saved.names) == Set(sites + ["tokens"]))
    for site in sites {
      let (ours, reference) = (try saved.tensor(site), try dumps.tensor("p0.\(site)"))
      #expect(ours.shape == reference.shape)
      let (a, b) = (try ours.read(), try reference.read())
      let scale = b.map(abs).max() ?? 0
      #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 1e-4 * scale }, "\(site)")
    }
    let listed = try #require(try result.json()["sites"] as? [[String: Any]])
    // In the order in which the model computes them.
    #expect(listed.compactMap { $0["site"] as? String }.prefix(3) == ["embed", "mlp_out.0", "mlp_out.1"])
    // <bos> and <start_of_turn> are left out of the mean.
    let plain = try dumps.tensor("p0.tokens").readIntegers().enumerated().filter { $1 > 6 }.map(\.offset)
    for entry in listed {
      let name = try #require(entry["site"] as? String)
      let x = try dumps.tensor("p0.\(name)")
      let norms = try plain.map { row in
        try x.rows(row..<row + 1).read().reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      }
      let mean = norms.reduce(0, +) / Double(norms.count)
      #expect(abs(try #require(entry["mean_norm"] as? Double) - mean) < 1e-4 * mean, "\(name)")
    }
  }

  @Test func specialTokensAloneHaveNoMeanNorm() throws {
    let directory = try TemporaryDirectory()
    let file = directory.url.appending(path: "x.safetensors").path
    let json = try Tool.run("activations", "--tokens", "2", "--site", "embed", "--save", file, "--json").json()
    #expect((json["sites"] as? [[String: Any]])?.first?["mean_norm"] is NSNull)
    let people = try Tool.run("activations", "--tokens", "2", "--site", "embed", "--save", file)
    #expect(people.status == 0 && people.output.contains("-"))
  }

  /// Before the model is opened: the one named here does not exist.
  @Test func aSaveThatCannotWorkIsFoundFirst() throws {
    let directory = try TemporaryDirectory()
    let cases = [
      (directory.url.path, "it is a folder"), (directory.url.path + "/new/", "it names a folder"),
      ("/dev/null", "it is no regular file"),
    ]
    for arguments in [["activations", "--site", "embed"], ["logits"], ["features", "--dictionary", "/nowhere"]] {
      for (path, reason) in cases {
        let result = try Tool.run(arguments + ["--model", "/nowhere", "--tokens", "2", "--save", path])
        #expect(result.status == 1)
        #expect(result.errors == "gscope: error: \(path): cannot be written: \(reason)\n")
      }
    }
  }

  @Test func severalTextsShareOneFile() throws {
    let directory = try TemporaryDirectory()
    let file = directory.url.appending(path: "sites.safetensors")
    let input = "{\"id\":1,\"text\":\"one\"}\n{\"id\":2,\"text\":\"two two\"}\n"
    let result = try Tool.run(
      "activations", "--texts", "-", "--site", "resid_post.2", "--save", file.path, input: input)
    #expect(result.status == 0, "\(result.errors)")
    #expect(try result.jsonLines().count == 2)
    let saved = try SafetensorsFile(file)
    let offsets = try saved.tensor("doc_offsets").readIntegers()
    #expect(try saved.tensor("resid_post.2").shape == [offsets[2], 32])
    // Texts do not see one another.
    let alone = directory.url.appending(path: "alone.safetensors")
    _ = try Tool.run("activations", "--text", "two two", "--site", "resid_post.2", "--save", alone.path)
    let second = try saved.tensor("resid_post.2").rows(offsets[1]..<offsets[2]).read()
    let expected = try SafetensorsFile(alone).tensor("resid_post.2").read()
    #expect(second.count == expected.count)
    #expect(zip(second, expected).allSatisfy { abs($0 - $1) < 1e-4 })
  }

  @Test func aLayerThatTheModelLacksIsNamed() throws {
    let directory = try TemporaryDirectory()
    let file = directory.url.appending(path: "x.safetensors")
    let result = try Tool.run("activations", "--text", "a", "--site", "resid_post.7", "--save", file.path)
    #expect(result.status == 1)
    #expect(result.errors == "gscope: error: site resid_post.7: the model has layers 0 to 6\n")
    #expect(!FileManager.default.fileExists(atPath: file.path))
  }

  @Test func aFolderThatIsMissingFailsCleanly() throws {
    let directory = try TemporaryDirectory()
    let file = directory.url.appending(path: "no/such/folder/x.safetensors").path
    for arguments in [
      ["activations", "--site", "embed"], ["logits"],
      ["features", "--dictionary", Tool.dictionary("resid_post/layer_3_width_37_l0_small")],
    ] {
      let result = try Tool.run(
        arguments + ["--model", Tool.model, "--text", "a", "--save", file, "--json"])
      #expect(result.status == 1)
      #expect(result.errors.hasPrefix("gscope: error: \(file): cannot be written"), "\(result.errors)")
      // Nothing claims success.
      #expect(result.output.isEmpty)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path).isEmpty)
  }
}
