import Foundation
import TestSupport
import Testing

@Suite struct AtlasCommandTests {
  private typealias Tool = CommandLineTool
  private let directory: TemporaryDirectory
  private let corpus: String
  private let dictionaries = [
    "--dictionary", "sae=" + CommandLineTool.dictionary("resid_post/layer_3_width_37_l0_small"),
    "--dictionary", "heads=" + CommandLineTool.dictionary("attn_out/layer_5_width_53_l0_medium"),
  ]

  init() throws {
    directory = try TemporaryDirectory()
    var random = SeededRandom(seed: 1)
    let lines = (0..<30).map { _ in
      "{\"text\":\"\((0..<40).map { _ in "word\(random.int(0...999))" }.joined(separator: " "))\"}\n"
    }
    corpus = try directory.write(Array(lines.joined().utf8), as: "texts.jsonl").path
  }

  private func build(_ output: String, _ more: [String] = []) throws -> Tool.Result {
    try Tool.run(
      [
        "atlas", "build", "--model", Tool.model, "--corpus", corpus, "--tokens", "900", "--context", "64", "--output",
        output,
      ]
        + dictionaries + more)
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
        [
          "atlas", "build", "--model", Tool.model, "--corpus", corpus, "--tokens", "900", "--context", "64", "--batch",
          "2",
          "--save-every", "0", "--output", folder.appending(path: "atlas.sqlite").path,
        ] + dictionaries
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
