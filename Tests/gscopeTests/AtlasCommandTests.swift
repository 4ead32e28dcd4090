import Foundation
import TestSupport
import Testing

@Suite struct AtlasCommandTests {
  private typealias Tool = CommandLineTool
  private let texts: AtlasPlace
  private let dictionaries = AtlasPlace.both
  private var directory: TemporaryDirectory { texts.directory }
  private var corpus: String { texts.corpus }

  init() throws { texts = try AtlasPlace(documents: 30, words: 1000) }

  private func build(_ output: String, _ more: [String] = []) throws -> Tool.Result {
    try Tool.run(texts.build(output, tokens: 900, dictionaries + more))
  }

  @Test func atlasesAreBuiltShownAndChecked() throws {
    let output = directory.url.appending(path: "atlas.sqlite").path
    let built = try build(output, ["--json"])
    #expect(built.status == 0, "\(built.errors)")
    let summary = try built.json()
    #expect(summary["tokens"] as? Int == 900 && summary["features"] as? Int == 90)
    #expect((summary["dictionaries"] as? [[String: Any]])?.compactMap { $0["name"] as? String } == ["sae", "heads"])

    let list = try Tool.run(["atlas", "show", output, "--json"]).json()
    #expect(list["state"] as? String == "complete" && list["tokens"] as? Int == 900)
    var live = 0
    for index in 0..<37 {
      let shown = try Tool.run(["atlas", "show", output, "sae#\(index)", "--json"]).json()
      #expect(shown["index"] as? Int == index && shown["dictionary"] as? String == "sae")
      guard shown["mean"] is Double else { continue }
      live += 1
      let examples = try #require(shown["examples"] as? [[String: Any]])
      let first = try #require(examples.first)
      #expect(first["activation"] as? Double == shown["max"] as? Double)
      let tokens = try #require(first["tokens"] as? [[String: Any]])
      let activations = try #require(first["activations"] as? [Double])
      #expect(tokens.count == activations.count && activations.max() == first["activation"] as? Double)
      #expect(tokens[0]["start"] as? Int == 0 && tokens[0]["piece"] is String && tokens[0]["id"] is Int)
      #expect(((shown["logits"] as? [String: Any])?["top"] as? [Any])?.count == 10)
      #expect(first["sources"] == nil)
    }
    #expect(live > 5)
    let text = try Tool.run(["atlas", "show", output, "heads#3"])
    #expect(text.status == 0 && text.output.hasPrefix("heads#3"), "\(text.errors)")

    let check = try Tool.run(["atlas", "check", output, "--model", Tool.model, "--recount", "300", "--json"])
    #expect(check.status == 0, "\(check.errors)")
    let found = try check.json()
    #expect((found["faults"] as? [Any])?.isEmpty == true)
    let recount = try #require(found["recount"] as? [String: Any])
    #expect(recount["differing"] as? Int == 0 && (recount["examples"] as? Int ?? 0) > 20)
  }

  @Test func infoTellsWhatItIs() throws {
    let output = directory.url.appending(path: "atlas.sqlite").path
    #expect(try build(output).status == 0)
    let before = try Tool.run(["info", output, "--json"]).json()
    #expect(before["kind"] as? String == "atlas" && before["state"] as? String == "complete")
    #expect(before["tokens"] as? Int == 900 && before["features"] as? Int == 90)
    #expect((before["dictionaries"] as? [[String: Any]])?.compactMap { $0["name"] as? String } == ["sae", "heads"])
    #expect(before["labels"] as? Int == 0 && before["mean_label_score"] is NSNull && before["model"] is String)
    let size = try FileManager.default.attributesOfItem(atPath: output)[.size] as? Int
    #expect(before["bytes"] as? Int == size)
    #expect(try Tool.run(["explain", output]).status == 0)
    let after = try Tool.run(["info", output, "--json"]).json()
    #expect(after["labels"] as? Int == 90 && after["labelled"] as? Int == 90)
    let (live, tested) = (after["live"] as? Int ?? 0, after["labels_tested"] as? Int ?? 0)
    #expect(live > 5 && tested > 0 && tested <= live && (0...1).contains(after["mean_label_score"] as? Double ?? -1))
    let text = try Tool.run(["info", output])
    #expect(text.status == 0 && text.output.contains("heads") && text.output.contains("resid_post.3"))
    #expect(try Tool.run(["info", output, "--at", "resid_post.3"]).status == 2)
    let begun = directory.url.appending(path: "begun.sqlite").path
    try FileManager.default.createDirectory(atPath: begun + "-build", withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: output, toPath: begun + "-build/atlas.sqlite")
    let unfinished = try Tool.run(["info", begun, "--json"]).json()
    #expect(unfinished["state"] as? String == "building" && unfinished["kind"] as? String == "atlas")
    let refused = try Tool.run(["atlas", "export", begun, "--to", "neuronpedia", "--output", begun + "-np"])
    #expect(refused.status == 1 && refused.errors.contains("not finished"), "\(refused.errors)")
    let other = try directory.write([1, 2, 3], as: "other.sqlite").path
    let wrong = try Tool.run(["info", other])
    #expect(wrong.status == 1 && wrong.errors.contains(other), "\(wrong.errors)")
  }

  @Test func exportsAreWritten() throws {
    let output = directory.url.appending(path: "atlas.sqlite").path
    #expect(try build(output).status == 0)
    let folder = directory.url.appending(path: "np")
    func export(_ arguments: [String]) throws -> Tool.Result { try Tool.run(["atlas", "export", output] + arguments) }
    let to = ["--to", "neuronpedia", "--output", folder.path]
    let written = try export(to + ["--model-id", "gemma-3-270m", "--vectors", "-d", "sae", "-d", "heads"])
    #expect(written.status == 0 && written.output.split(separator: "\n").count == 2, "\(written.errors)")
    let model = try Data(contentsOf: folder.appending(path: "gemma-3-270m/3-gscope-res-37/model.jsonl"))
    let row = try #require(try JSONSerialization.jsonObject(with: model) as? [String: Any])
    #expect(row["layers"] as? Int == 18 && row["neuronsPerLayer"] as? Int == 2048)
    for path in ["features", "activations"] {
      let file = folder.appending(path: "gemma-3-270m/5-gscope-att-53/\(path)/batch-0.jsonl.gz")
      #expect(FileManager.default.fileExists(atPath: file.path))
    }
    let told = try export(["--to", "neuronpedia", "--output", folder.path + "-json", "-d", "sae", "--json"]).json()
    #expect(told["schema"] as? Int == 1 && told["kind"] as? String == "neuronpedia")
    #expect(told["output"] as? String == folder.path + "-json" && (told["bytes"] as? Int ?? 0) > 1000)
    let source = try #require((told["dictionaries"] as? [[String: Any]])?.first)
    #expect(source["name"] as? String == "sae" && source["source"] as? String == "3-gscope-res-37")
    #expect(source["features"] as? Int == 37 && (source["examples"] as? Int ?? 0) > 37 && source["labels"] as? Int == 0)
    let again = try export(to)
    #expect(again.status == 1 && again.errors.contains(folder.path), "\(again.errors)")
    for (arguments, status, text) in [
      (["--to", "gemma-scope-2", "--vectors"], 2, "--vectors"), (["--to", "gemma-scope-2"], 2, "--dictionary"),
      (["--to", "gemma-scope-2", "-d", "sae", "-d", "heads"], 2, "named"),
      (["--to", "neuronpedia", "-d", "none"], 1, "none"),
      (["--to", "neuronpedia", "--model-id", "A b"], 1, "model-id"),
    ] as [([String], Int32, String)] {
      let result = try export(arguments + ["--output", directory.url.appending(path: "x").path])
      #expect(result.status == status && result.errors.contains(text), "\(arguments): \(result.errors)")
    }
  }

  /// The other layout and back, told as JSON.
  @Test func examplesComeBack() throws {
    let output = directory.url.appending(path: "atlas.sqlite").path
    #expect(try build(output).status == 0)
    let examples = directory.url.appending(path: "examples.safetensors").path
    let written = try Tool.run([
      "atlas", "export", output, "--to", "gemma-scope-2", "-d", "sae", "--output", examples, "--json",
    ])
    #expect(written.status == 0, "\(written.errors)")
    let export = try written.json()
    let size = try FileManager.default.attributesOfItem(atPath: examples)[.size] as? Int
    #expect(export["kind"] as? String == "gemma-scope-2" && export["bytes"] as? Int == size)
    #expect((export["dictionaries"] as? [[String: Any]])?.first?["features"] as? Int == 37)
    let copy = directory.url.appending(path: "copy.sqlite").path
    let read = try Tool.run([
      "atlas", "import", examples, "--model", Tool.model, "--dictionary", "sae=" + AtlasPlace.sae, "--output", copy,
      "--json",
    ])
    #expect(read.status == 0, "\(read.errors)")
    let told = try read.json()
    #expect(told["kind"] as? String == "atlas" && told["from"] as? String == "gemma-scope-2")
    #expect(told["features"] as? Int == 37 && told["output"] as? String == copy && told["seconds"] is Double)
  }

  @Test func mistakesAreNamed() throws {
    let output = directory.url.appending(path: "atlas.sqlite").path
    for (arguments, text) in [
      (["--tokens", "0"], "--tokens"), (["--examples", "0"], "--examples"), (["--save-every", "-1"], "--save-every"),
    ] {
      let result = try build(output, arguments)
      #expect(result.status == 2 && result.errors.contains(text), "\(result.errors)")
    }
    #expect(try build(output).status == 0)
    let other = try build(output, ["--seed", "3"])
    #expect(other.status == 1 && other.errors.contains("'seed'"), "\(other.errors)")
    #expect(try build(output, ["--seed", "3", "--overwrite"]).status == 0)
    for (feature, status) in [("sae", 2), ("sae#99", 1), ("none#1", 1), ("heads#4/1", 1)] {
      let result = try Tool.run(["atlas", "show", output, feature])
      #expect(result.status == status, "\(feature): \(result.errors)")
    }
    #expect(try Tool.run(["atlas", "show", corpus, "sae#1"]).status == 1)
    #expect(try Tool.run(["atlas", "check", output + "x"]).status == 1)
  }

  /// `kill -9` at any moment: taken up again, the build ends in the same atlas.
  @Test func killedBuildsEndAlike() throws {
    let place = try TemporaryDirectory()
    let kills = RandomKills(
      command: { folder in
        texts.build(
          folder.appending(path: "atlas.sqlite").path, tokens: 900,
          dictionaries + ["--batch", "2", "--save-every", "0"])
      }, place: place.url,
      contents: { name, data in
        guard name == "atlas.sqlite", let url = try? place.write(data, as: "copy.sqlite"),
          let check = try? Tool.run(["atlas", "check", url.path, "--json"]).json(),
          let digest = check["digest"] as? String,
          (check["faults"] as? [Any])?.isEmpty == true
        else { return data }
        return Data(digest.utf8)
      })
    let sights = [
      "atlas.sqlite-build/state-1.bin", "atlas.sqlite-build/.partial-*", "atlas.sqlite-build/finished.sqlite",
      "atlas.sqlite",
    ]
    let outcome = try kills.run(count: 20, sights: sights, seed: 3)
    #expect(outcome.kills >= 20, "\(outcome)")
  }
}
