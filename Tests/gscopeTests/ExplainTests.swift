import Foundation
import TestSupport
import Testing

@Suite struct ExplainTests {
  private typealias Tool = CommandLineTool
  private let place: AtlasPlace
  private let atlas: String
  private var directory: TemporaryDirectory { place.directory }

  init() throws {
    place = try AtlasPlace(documents: 40, words: 100)
    atlas = place.path("atlas.sqlite")
    try place.built(atlas, tokens: 3000)
  }

  private func explain(_ arguments: String..., environment: [String: String] = [:]) throws -> Tool.Result {
    try Tool.run(["explain", atlas] + arguments, environment: environment)
  }

  @Test func rulesLabelEveryFeature() throws {
    let run = try explain("--json")
    #expect(run.status == 0, "\(run.errors)")
    let report = try run.json()
    #expect(report["author"] as? String == "lexical" && report["spent"] is NSNull)
    let parts = try #require(report["dictionaries"] as? [[String: Any]])
    #expect(parts.map { $0["dictionary"] as? String } == ["sae", "heads"])
    #expect(parts.map { $0["features"] as? Int } == [37, 53] && parts.map { $0["labelled"] as? Int } == [37, 53])
    var (sums, counts) = (["detection": 0.0, "fuzzing": 0.0], ["detection": 0, "fuzzing": 0])
    for index in 0..<37 {
      let shown = try Tool.run(["atlas", "show", atlas, "sae#\(index)", "--json"]).json()
      let label = try #require(shown["label"] as? String)
      let all = try #require(shown["explanations"] as? [[String: Any]])
      #expect(all.count == 1 && all[0]["text"] as? String == label && all[0]["author"] as? String == "lexical")
      for score in try #require(all[0]["scores"] as? [[String: Any]]) {
        let test = try #require(score["test"] as? String)
        guard let accuracy = score["balanced_accuracy"] as? Double else {
          #expect((score["reason"] as? String)?.hasPrefix("too_few") == true)
          continue
        }
        #expect(score["reason"] is NSNull && 0...1 ~= accuracy)
        sums[test, default: 0] += accuracy
        counts[test, default: 0] += 1
      }
      // Every label has a score or says why not.
      let score = shown["label_score"] as? Double
      #expect((shown["label_untested"] is String) == (score == nil), "\(shown["label_untested"] ?? "")")
      #expect((all[0]["untested"] as? String) == (shown["label_untested"] as? String))
      if score == nil {
        let text = try Tool.run(["atlas", "show", atlas, "sae#\(index)"]).output
        #expect(text.contains("untested"), "\(text)")
      }
    }
    let tests = try #require(parts[0]["tests"] as? [[String: Any]])
    #expect(tests.map { $0["test"] as? String } == ["detection", "fuzzing"])
    for test in tests {
      let name = try #require(test["test"] as? String)
      let count = try #require(counts[name])
      #expect(test["tested"] as? Int == count && count > 5)
      let mean = try #require((test["balanced_accuracy"] as? [String: Any])?["value"] as? Double)
      #expect(abs(mean - sums[name, default: 0] / Double(count)) < 1e-9)
    }
    #expect(try Tool.run(["explain", "--json", "--atlas", atlas]).output == run.output)

    let text = try explain("--dictionary", "sae", "--features", "0,3-5", "--tests", "detection")
    #expect(text.status == 0 && text.output.contains("detection") && !text.output.contains("fuzzing"))
    let shown = try Tool.run(["atlas", "show", atlas, "sae#3"])
    #expect(shown.output.contains("label      "), "\(shown.output)")
  }

  @Test func mistakesAreNamed() throws {
    for (arguments, text) in [
      (["--features", "1"], "--dictionary"), (["--dictionary", "sae", "--features", "37"], "0 to 36"),
      (["--features", "5-1"], "--features"), (["--tests", "x"], "--tests"), (["--parallel", "0"], "--parallel"),
      (["--timeout", "0"], "--timeout"), (["--max-features", "0"], "--max-features"),
      (["--max-tokens-spent", "0"], "--max-tokens-spent"), (["--judge-model", "m"], "--judge"),
    ] {
      let result = try Tool.run(["explain", atlas] + arguments)
      #expect(result.status == 2 && result.errors.contains(text), "\(arguments): \(result.errors)")
    }
    for (arguments, text) in [([], "--atlas"), ([atlas, "--atlas", atlas], "the atlas once")] {
      let result = try Tool.run(["explain"] + arguments)
      #expect(result.status == 2 && result.errors.contains(text), "\(result.errors)")
    }
    #expect(try explain("--dictionary", "none").status == 1)
    #expect(try explain("--judge", "http://127.0.0.1:1").status == 1)
  }

  /// An end that knows no such path is told at once, and a run without it works on.
  @Test func judgesAreAsked() throws {
    let server = try ScriptedServer([.answer("{}", status: 404)])
    defer { server.stop() }
    let environment = ["GSCOPE_JUDGE_URL": server.url, "GSCOPE_JUDGE_MODEL": "m", "GSCOPE_JUDGE_KEY": "secret"]
    let failed = try explain("--max-features", "2", environment: environment)
    #expect(failed.status == 1 && failed.errors.contains("404"), "\(failed.errors)")
    #expect(!(failed.errors + failed.output).contains("secret") && !server.requests.isEmpty)
    let count = server.requests.count
    #expect(FileManager.default.fileExists(atPath: atlas + "-judge.jsonl"))
    let lexical = try explain("--lexical", "--max-features", "2", "--json", environment: environment)
    #expect(lexical.status == 0 && server.requests.count == count, "\(lexical.errors)")
    let parts = try #require(try lexical.json()["dictionaries"] as? [[String: Any]])
    #expect(parts.reduce(0) { $0 + ($1["features"] as? Int ?? 0) } == 2)
  }
}
