import Foundation
import TestSupport
import Testing

@Suite struct ModelChoiceTests {
  private typealias Tool = CommandLineTool

  /// A folder with `models/<names>`, each the tiny model.
  private func folder(_ names: String...) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    let models = directory.url.appending(path: "models")
    try FileManager.default.createDirectory(at: models, withIntermediateDirectories: true)
    for name in names {
      try FileManager.default.createSymbolicLink(
        at: models.appending(path: name), withDestinationURL: URL(filePath: Tool.model))
    }
    return directory
  }

  private func tokenize(
    _ arguments: [String] = [], in directory: TemporaryDirectory, environment: [String: String] = [:]
  )
    throws -> Tool.Result
  {
    try Tool.run(["tokenize", "--tokens", "2"] + arguments, environment: environment, folder: directory.url)
  }

  @Test func noModelTellsHowToGetOne() throws {
    let result = try tokenize(in: try TemporaryDirectory())
    #expect(result.status == 1)
    #expect(result.errors.contains("make demo"))
  }

  @Test func theOnlyModelIsTheDefault() throws {
    #expect(try tokenize(in: try folder("gemma-3-tiny")).status == 0)
  }

  @Test func oneOfSeveralMustBeNamed() throws {
    let directory = try folder("gemma-3-tiny", "gemma-3-tiny-it")
    let result = try tokenize(in: directory)
    #expect(result.status == 1)
    #expect(result.errors.contains("gemma-3-tiny, gemma-3-tiny-it"))
    #expect(try tokenize(["--model", "gemma-3-tiny"], in: directory).status == 0)
    #expect(try tokenize(["--model", "gemma-3-tiny-i"], in: directory).status == 0)
    #expect(try tokenize(["--model", "gemma"], in: directory).errors.contains("fits several"))
    #expect(
      try tokenize(["--model", "llama"], in: directory).errors.contains("there are gemma-3-tiny, gemma-3-tiny-it"))
  }

  @Test func theEnvironmentNamesOne() throws {
    let directory = try TemporaryDirectory()
    #expect(try tokenize(in: directory, environment: ["GSCOPE_MODEL": Tool.model]).status == 0)
    let result = try tokenize(in: directory, environment: ["GSCOPE_MODEL": "/nowhere/at/all"])
    #expect(result.status == 1)
    #expect(result.errors.contains("GSCOPE_MODEL '/nowhere/at/all'"))
  }

  @Test func aFolderWithoutTokenizerStillTakesTokens() throws {
    let model = Fixtures.url("gemma/causal-bf16").path
    let text = try Tool.run(["logits", "--model", model, "--text", "a"])
    #expect(text.status == 1)
    #expect(text.errors.contains("tokenizer.json"))
    #expect(text.errors.contains("--tokens"))
    let tokens = try Tool.run(["logits", "--model", model, "--tokens", "2,9,4", "--json"])
    #expect(tokens.status == 0)
    let first = try #require((try tokens.json()["tokens"] as? [[String: Any]])?.first)
    #expect(first["piece"] is NSNull)
    #expect(first["id"] as? Int == 2)
  }
}
