import Foundation
import TestSupport
import Testing

@Suite struct HarvestTests {
  private typealias Tool = CommandLineTool

  private func corpus(_ directory: TemporaryDirectory, documents: Int) throws -> String {
    var random = SeededRandom(seed: 1)
    let lines = (0..<documents).map { _ in
      "{\"text\":\"\((0..<40).map { _ in "word\(random.int(0...999))" }.joined(separator: " "))\"}\n"
    }
    return try directory.write(Array(lines.joined().utf8), as: "texts.jsonl").path
  }

  private func files(_ folder: URL) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      files[name] = try Data(contentsOf: folder.appending(path: name))
    }
    return files
  }

  @Test func rowsAreStoredAndCounted() throws {
    let directory = try TemporaryDirectory()
    let output = directory.url.appending(path: "acts")
    let arguments = [
      "--corpus", try corpus(directory, documents: 20), "--site", "resid_post.2,mlp_out.all", "--tokens", "300",
      "--context", "32", "--dtype", "int8", "--output", output.path, "--json",
    ]
    let result = try Tool.run(["harvest", "--model", Tool.model] + arguments)
    #expect(result.status == 0, "\(result.errors)")
    let summary = try result.json()
    #expect(summary["rows"] as? Int == 300 && summary["rows_found"] as? Int == 0)
    #expect((summary["sites"] as? [[String: Any]])?.count == 8)
    #expect(try Set(files(output).keys) == ["harvest.json", "store.json", "rows-00000.safetensors"])
    let again = try Tool.run(["harvest", "--model", Tool.model] + arguments)
    #expect(try again.json()["rows_found"] as? Int == 300)
  }

  @Test func mistakesAreNamed() throws {
    let directory = try TemporaryDirectory()
    let texts = try corpus(directory, documents: 2)
    let output = directory.url.appending(path: "acts").path
    func run(_ arguments: String...) throws -> Tool.Result {
      try Tool.run(["harvest", "--model", Tool.model, "--output", output] + arguments)
    }
    for (arguments, text) in [
      (["--site", "embed"], "--corpus"), (["--corpus", texts], "--site"),
      (["--site", "embed", "--corpus", texts, "--shard", "2/2"], "--shard"),
      (["--site", "embed", "--corpus", texts, "--dtype", "fp64"], "--dtype"),
      (["--site", "embed", "--corpus", texts, "--tokens", "0"], "--tokens"),
      (["--site", "embed", "--corpus", texts, "--norm-site", "embed"], "--norm-filter"),
      (["--site", "resid", "--corpus", texts], "no site named 'resid'"),
    ] {
      let result = try Tool.run(["harvest", "--model", Tool.model, "--output", output] + arguments)
      #expect(result.status == 2, "\(arguments)")
      #expect(result.errors.contains(text), "\(result.errors)")
    }
    #expect(try run("--site", "embed", "--corpus", texts + "x").status == 1)
    #expect(try run("--site", "resid_post.9", "--corpus", texts, "--context", "16").status == 1)
    let long = try run("--site", "embed", "--corpus", texts)
    #expect(long.status == 1 && long.errors.contains("context"), "\(long.errors)")
    #expect(!FileManager.default.fileExists(atPath: output))
  }
}
