import Foundation
import TestSupport
import Testing

/// The benchmark tasks of `gscope evaluate` on the tiny model.
@Suite struct EvaluateTaskTests {
  private typealias Tool = CommandLineTool

  private static let sae = "resid_post/layer_3_width_37_l0_small"

  /// Texts whose topic and tone show in their words.
  private func probes(_ directory: TemporaryDirectory) throws -> String {
    var random = SeededRandom(seed: 5)
    let topics = ["river": ["water", "bank", "boat"], "stone": ["rock", "hill", "dust"], "tree": ["leaf", "root", "wood"]]
    let tones = ["good": ["fine", "kind"], "bad": ["poor", "grim"]]
    let lines = (0..<400).map { index -> String in
      let (topic, tone) = (topics.keys.sorted()[index % 3], tones.keys.sorted()[index / 3 % 2])
      let words = (0..<8).map { _ in
        let list = random.int(0...1) == 0 ? topics[topic] ?? [] : tones[tone] ?? []
        return list[random.int(0...list.count - 1)]
      }
      let text = words.joined(separator: " ") + " \(index)"
      let split = index / 6 % 3 == 0 ? "test" : "train"
      return """
        {"id":"\(index)","text":"\(text)","labels":{"topic":"\(topic)","tone":"\(tone)"},"split":"\(split)"}

        """
    }
    return try directory.write(Array(lines.joined().utf8), as: "probes.jsonl").path
  }

  private func corpus(_ directory: TemporaryDirectory) throws -> String {
    var random = SeededRandom(seed: 1)
    let text = (0..<300).map { _ in "word\(random.int(0...999))" }.joined(separator: " ")
    return try directory.write(Array(text.utf8), as: "text.txt").path
  }

  private func evaluate(_ directory: TemporaryDirectory, _ more: [String]) throws -> Tool.Result {
    try Tool.run(
      [
        "evaluate", "--model", Tool.model, "--corpus", corpus(directory), "--context", "32", "--tokens", "128", "--splice",
        "none",
      ] + more)
  }

  @Test func tasksOnTextsTellTheirBaselines() throws {
    let directory = try TemporaryDirectory()
    let output = directory.url.appending(path: "out")
    let result = try evaluate(
      directory,
      [
        "--dictionary", Tool.dictionary(Self.sae), "--task", "sparse-probing,scr", "--task", "tpp", "--probes",
        probes(directory), "--concept", "topic=river/stone", "--concept", "tone=good/bad", "--k", "1,3", "--draws", "2",
        "--json", "--output", output.path,
      ])
    #expect(result.status == 0, "\(result.errors)")
    let tasks = try #require(try result.json()["tasks"] as? [String: [[String: Any]]])
    #expect(Set(tasks.keys) == ["sparse-probing", "scr", "tpp"])
    let probing = try #require(tasks["sparse-probing"])
    #expect(probing.map { $0["label"] as? String } == ["tone", "topic"])
    for one in probing {
      let means = try #require(one["means"] as? [[String: Any]])
      #expect(means.map { $0["k"] as? Int } == [1, 3])
      let dense = ((one["dense"] as? [String: Any])?["accuracy"] as? [String: Any])?["value"] as? Double
      #expect(try #require(dense) > 0.55, "\(one)")
      #expect(means.allSatisfy { $0["features"] != nil && $0["channels"] != nil })
    }
    #expect(tasks["scr"]?.count == 1 && (tasks["scr"]?[0]["directions"] as? [Any])?.count == 2)
    #expect(((probing[0]["classes"] as? [[String: Any]])?.first?["dense_c"] as? [Double])?.count == 2)
    let perturbed = try #require(tasks["tpp"]?.first?["features"] as? [[String: Any]])
    for point in perturbed {
      let removed = try #require(point["removed"] as? [[Int]])
      let count = try #require(point["n"] as? Int)
      #expect(removed.count == 3 && removed.allSatisfy { $0.count == 2 && $0.allSatisfy { $0 <= min(count, 37) } })
    }
    // Two tones leave nothing besides to be harmed.
    #expect(tasks["tpp"]?.map { $0["label"] as? String } == ["topic"])
    let page = try String(contentsOf: output.appending(path: "report.html"), encoding: .utf8)
    #expect(page.contains("Targeted probe perturbation") && page.contains("k-sparse probing"))
  }

  @Test func tasksOnWeightsCompareDictionaries() throws {
    let directory = try TemporaryDirectory()
    let path = Tool.dictionary(Self.sae)
    let result = try evaluate(
      directory,
      [
        "--dictionary", "a=\(path)", "--dictionary", "b=\(path)", "--task", "nesting,splitting,consistency", "--prefixes",
        "5,20", "--json",
      ])
    #expect(result.status == 0, "\(result.errors)")
    let tasks = try #require(try result.json()["tasks"] as? [String: [[String: Any]]])
    let nesting = try #require(tasks["nesting"])
    #expect(nesting.map { $0["features"] as? Int } == [5, 20, 37, 5, 20, 37])
    // The same dictionary twice is consistent.
    let pair = try #require(tasks["consistency"]?.first)
    let decoder = ((pair["all"] as? [String: Any])?["decoder"] as? [String: Any])?["matched_cosine"] as? Double
    #expect(abs(try #require(decoder) - 1) < 1e-6)
    #expect(tasks["consistency"]?.count == 1)
    #expect(tasks["splitting"]?.count == 4, "two prefixes of each, and no wider one")
    let text = try evaluate(directory, ["--dictionary", path, "--task", "consistency"])
    #expect(text.status == 0 && text.output.contains("same sites and width"))
  }

  @Test func mistakesAreNamed() throws {
    let directory = try TemporaryDirectory()
    let sets = try probes(directory)
    _ = try directory.write(Array("{\"id\":1}\n".utf8), as: "broken.jsonl")
    let broken = directory.url.appending(path: "broken.jsonl").path
    let dictionary = ["--dictionary", Tool.dictionary(Self.sae)]
    for (arguments, status, text) in [
      (["--task", "spelling"], 2, "--task"), (["--task", "tpp"], 2, "--probes"),
      (["--task", "scr", "--probes", sets], 2, "--concept"),
      (["--task", "scr", "--probes", sets, "--concept", "tone", "--concept", "topic=a/b"], 2, "--concept is 'tone'"),
      (["--task", "sparse-probing", "--probes", sets, "--k", "0"], 2, "--k"),
      (["--task", "sparse-probing", "--probes", sets, "--k", "1,x"], 2, "--k"),
      (["--task", "sparse-probing", "--probes", sets, "--k", "99"], 2, "99"),
      (["--task", "sparse-probing", "--probes", sets, "--label", "colour"], 1, "colour"),
      (["--task", "sparse-probing", "--probes", broken], 1, "broken.jsonl"),
      (["--task", "sparse-probing", "--probes", sets + "x"], 1, "probes.jsonlx"),
      (["--task", "nesting", "--prefixes", "99"], 2, "--prefixes"), (["--draws", "0"], 2, "--draws"),
      (["--words", "0"], 2, "--words"),
      (["--task", "scr", "--probes", sets, "--concept", "tone=good/sad", "--concept", "topic=river/tree"], 1, "sad"),
      (["--task", "tpp", "--probes", sets, "--label", "tone"], 1, "three"),
    ] as [([String], Int32, String)] {
      let output = directory.url.appending(path: "out")
      let result = try evaluate(directory, dictionary + arguments + ["--output", output.path])
      #expect(result.status == status, "\(arguments): \(result.errors)")
      #expect(result.errors.contains(text), "\(arguments): \(result.errors)")
      // They are found before the model runs.
      #expect(!FileManager.default.fileExists(atPath: output.appending(path: "evaluation.json").path), "\(arguments)")
    }
  }

  /// Whoever stops a long task keeps the figures.
  @Test func figuresOutliveATask() throws {
    let directory = try TemporaryDirectory()
    let output = directory.url.appending(path: "out")
    let process = try Tool.process([
      "evaluate", "--model", Tool.model, "--corpus", corpus(directory), "--context", "32", "--tokens", "128", "--splice",
      "none", "--dictionary", "one=\(Tool.dictionary(Self.sae))", "--task", "sparse-probing,nesting", "--draws", "100",
      "--probes", probes(directory), "--output", output.path,
    ])
    let (shown, errors) = (Pipe(), Pipe())
    process.standardOutput = shown
    process.standardError = errors
    try process.run()
    let file = output.appending(path: "report.html")
    while process.isRunning, !FileManager.default.fileExists(atPath: file.path) { usleep(1000) }
    process.interrupt()
    let text = String(decoding: shown.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 130 && message.contains(output.path), "\(message)")
    #expect(text.contains("without sinks") && text.contains("one"))
    let data = try Data(contentsOf: output.appending(path: "evaluation.json"))
    let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect((json["dictionaries"] as? [Any])?.count == 1 && (json["tasks"] as? [String: Any])?.isEmpty == true)
    #expect(json["unfinished_tasks"] as? [String] == ["sparse-probing", "nesting"])
    #expect(try String(contentsOf: file, encoding: .utf8).contains("Not finished: sparse-probing, nesting."))
  }
}
