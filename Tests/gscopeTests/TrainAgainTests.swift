import Foundation
import TestSupport
import Testing

/// What `gscope train` and `gscope suite build` say of runs that have ended, of their texts and of their starts.
@Suite(.serialized) struct TrainAgainTests {
  private typealias Tool = CommandLineTool

  private func json(_ url: URL) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
  }

  /// Going on with a finished run asks for that run.
  @Test func aFinishedRunIsComparedWithWhatIsAskedFor() throws {
    let place = try TrainingPlace()
    #expect(try Tool.run(try place.train("sae", ["--tokens", "3000"])).status == 0)
    for (more, recipe, text) in [
      (["--tokens", "4000"], TrainingPlace.recipe, "another tokens: 3000 there, 4000 asked for"),
      (["--tokens", "3000", "--seed", "1"], TrainingPlace.recipe, "another seed: 0 there, 1 asked for"),
      (
        ["--tokens", "3000"], TrainingPlace.recipe.replacing("\"share\":0.05", with: "\"share\":0.1"),
        "another schedule.warmup.share: 0.05 there, 0.1 asked for"
      ),
    ] {
      let result = try Tool.run(try place.train("sae", recipe: recipe, ["--resume"] + more))
      #expect(result.status == 1 && result.errors.contains(text), "\(result.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: place.url("sae/plots").path))
    let plotted = try Tool.run(try place.train("sae", ["--tokens", "3000", "--resume", "--plot"]))
    #expect(plotted.status == 0 && plotted.output.contains("is finished"), "\(plotted.errors)")
    #expect(FileManager.default.fileExists(atPath: place.url("sae/plots/fvu.svg").path))
  }

  @Test func aFinishedSuiteIsComparedToo() throws {
    let place = try TrainingPlace()
    func build(_ layers: String, tokens: String = "1500", _ more: [String] = []) throws -> Tool.Result {
      let suite = """
        {"schema":1,"base":\(TrainingPlace.recipe),"dictionaries":[
        {"name":"resid/{layer}","layers":[\(layers)],"reads":"resid_post.{layer}"}]}
        """
      let file = try place.directory.write(Array(suite.utf8), as: "suite.json").path
      return try Tool.run(
        [
          "suite", "build", file, "--model", Tool.model, "--corpus", place.corpus, "--heldout", place.heldOut,
          "--heldout-tokens", "100", "--loss-tokens", "0", "--tokens", tokens, "--output", place.url("suite").path,
        ] + more)
    }
    #expect(try build("1,2").status == 0)
    #expect(try build("1,2", ["--resume"]).output.contains("is finished"))
    let longer = try build("1,2", tokens: "1600", ["--resume"])
    #expect(longer.status == 1 && longer.errors.contains("another tokens of resid/1: 1500 there"), "\(longer.errors)")
    let more = try build("1,2,3", ["--resume"])
    #expect(more.status == 1 && more.errors.contains("another list of dictionaries"), "\(more.errors)")
  }

  @Test func heldOutTextThatIsTrainedOnIsWarnedOf() throws {
    let place = try TrainingPlace()
    let copy = place.url("copy.jsonl")
    try FileManager.default.copyItem(at: URL(filePath: place.corpus), to: copy)
    for (name, held) in [("same", place.corpus), ("copied", copy.path), ("other", place.heldOut)] {
      let file = try place.directory.write(Array(TrainingPlace.recipe.utf8), as: "recipe.json").path
      let result = try Tool.run([
        "train", "--model", Tool.model, "--recipe", file, "--corpus", place.corpus, "--heldout", held, "--tokens",
        "700",
        "--heldout-tokens", "64", "--loss-tokens", "0", "--output", place.url(name).path,
      ])
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.errors.contains("is trained on too") == (held != place.heldOut), "\(result.errors)")
      let training = try json(place.url("\(name)/training.json"))
      let card = try #require(training["card"] as? [String: Any])
      #expect((card["heldout_sha256"] as? String)?.count == 64 && card["heldout"] as? String == held)
      let build = try #require((training["run"] as? [String: Any])?["build"] as? String)
      #expect(build.hasPrefix("Swift 6."), "\(build)")
    }
  }

  private func metrics(_ folder: URL) throws -> [[String: Any]] {
    try String(contentsOf: folder.appending(path: "metrics.jsonl"), encoding: .utf8).split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  /// A crosscoder that begins with the first features of two dictionaries is ahead of one that begins at random; its
  /// target L0 falls from what they have together.
  @Test func aCrosscoderBeginsWithSingleLayers() throws {
    let place = try TrainingPlace()
    for layer in [1, 2] {
      let recipe = TrainingPlace.recipe.replacing("resid_post.2", with: "resid_post.\(layer)")
      #expect(try Tool.run(try place.train("layer-\(layer)", recipe: recipe)).status == 0)
    }
    let common = """
      {"schema":1,"kind":"crosscoder","reads":["resid_post.1","resid_post.2"],"width":40,"l0":6,"batch":64,"tokens":3200,
      "repeats":2,"window":512,"context":64,"learning_rate":0.002,"bandwidth":0.05,"dead_after":2000,
      "sparsity":{"coefficient":0.01,"ramp":{"share":0.2}},"schedule":{"warmup":{"share":0.05}},
      """
    let random = common + "\"threshold\":{\"start\":\"quantile\"},\"initialisation\":{\"decoder_bias\":\"mean\"}}"
    let started =
      common
      + "\"start\":[\"layer-1\",\"layer-2\"],\"initial_l0\":12,\"l0_decay\":{\"share\":0.5}}"
    for (name, recipe) in [("random", random), ("started", started)] {
      let result = try Tool.run(try place.train(name, recipe: recipe))
      #expect(result.status == 0, "\(result.errors)")
    }
    let lines = try metrics(place.url("started"))
    let targets = try lines.map { try #require($0["target_l0"] as? Double) }
    #expect(targets.count == 10 && targets[0] > 10 && targets[0] < 12, "\(targets)")
    #expect(targets[5...].allSatisfy { $0 == 6 }, "\(targets)")
    #expect(zip(targets, targets.dropFirst()).allSatisfy { $0 >= $1 }, "\(targets)")
    let others = try metrics(place.url("random"))
    for step in [0, 4, 9] {
      let (own, other) = (
        try #require(lines[step]["fvu"] as? Double), try #require(others[step]["fvu"] as? Double)
      )
      #expect(own < other, "line \(step): \(own), from random directions \(other)")
    }
  }
}
