import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct TrainTests {
  private typealias Tool = CommandLineTool

  private typealias Place = TrainingPlace

  @Test func aDictionaryIsTrainedMeasuredAndUsable() throws {
    let place = try Place()
    let result = try Tool.run(try place.train("sae", ["--json", "--plot"]))
    #expect(result.status == 0, "\(result.errors)")
    let dictionaries = try #require(try result.json()["dictionaries"] as? [[String: Any]])
    let card = try #require(dictionaries[0]["card"] as? [String: Any])
    #expect(try #require(card["fvu"] as? Double) < 0.9)
    for key in ["l0", "delta_loss", "dead", "dead_in_training", "loss", "loss_mean_ablated", "loss_zero_ablated"] {
      #expect(card[key] is Double, "\(key)")
    }
    #expect(
      try Set(FileManager.default.contentsOfDirectory(atPath: place.url("sae").path)) == [
        "config.json", "params.safetensors", "training.json", "metrics.jsonl", "plots",
      ])
    let text = try String(contentsOf: place.url("sae/training.json"), encoding: .utf8)
    let training = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect((training["max_activations"] as? [Double])?.count == 48)
    #expect((training["recipe"] as? [String: Any])?["learning_rate"] as? Double == 0.002)
    let run = try #require(training["run"] as? [String: Any])
    #expect((run["model_sha256"] as? String)?.count == 64 && (run["corpus_sha256"] as? String)?.count == 64)
    #expect(run["activations"] as? Int == 12_032)
    // The card is what verify finds.
    let verified = try Tool.run([
      "verify", "--model", Tool.model, "--dictionary", place.url("sae").path, "--texts", place.heldOut, "--json",
    ])
    #expect(try #require(try verified.json()["reference"] as? [String: Any])["source"] as? String == "training.json")
    // It is finished: another run is refused, going on has nothing to do.
    let again = try Tool.run(try place.train("sae"))
    #expect(again.status == 1)
    #expect(again.errors.contains("--resume"))
    #expect(try Tool.run(try place.train("sae", ["--resume"])).status == 0)
  }

  @Test func interruptionWritesACheckpoint() throws {
    let place = try Place()
    let recipe = Place.recipe.replacing("12000", with: "100000000")
    let process = try Tool.process(try place.train("sae", recipe: recipe))
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let metrics = place.url("sae/metrics.jsonl")
    for _ in 0..<600 {
      if let size = try? metrics.resourceValues(forKeys: [.fileSizeKey]).fileSize, size > 0 { break }
      usleep(100_000)
    }
    // Nobody else gets in meanwhile.
    let other = try Tool.run(try place.train("sae", recipe: recipe, ["--resume"]))
    #expect(other.status == 1)
    #expect(other.errors.contains("(process \(process.processIdentifier))"), "\(other.errors)")
    kill(process.processIdentifier, SIGINT)
    let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 130)
    #expect(message.contains("--resume goes on there"), "\(message)")
    let names = try Set(FileManager.default.contentsOfDirectory(atPath: place.url("sae").path))
    #expect(names == ["checkpoint", "metrics.jsonl"])
    #expect(try Tool.run(try place.train("sae", recipe: recipe)).errors.contains("--resume"))
  }

  /// A limit on file sizes stands in for a full disk.
  @Test func aFullDiskKeepsTheLastCheckpoint() throws {
    let place = try Place()
    let interrupted = try Tool.process(
      try place.train("sae", recipe: Place.recipe.replacing("12000", with: "90000000")))
    interrupted.standardError = FileHandle.nullDevice
    interrupted.standardOutput = FileHandle.nullDevice
    try interrupted.run()
    for _ in 0..<600 {
      if let size = try? place.url("sae/metrics.jsonl").resourceValues(forKeys: [.fileSizeKey]).fileSize, size > 0 {
        break
      }
      usleep(100_000)
    }
    kill(interrupted.processIdentifier, SIGINT)
    interrupted.waitUntilExit()
    let manifest = try Data(contentsOf: place.url("sae/checkpoint/manifest.json"))
    let arguments = try place.train(
      "sae", recipe: Place.recipe.replacing("12000", with: "90000000"), ["--resume", "--checkpoint-every", "0.0001"])
    let process = try Tool.process(arguments)
    let binary = try #require(process.executableURL)
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"", binary.path] + arguments
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 1, "\(message)")
    #expect(message.split(separator: "\n").filter { $0.contains("error:") }.count == 1, "\(message)")
    #expect(try Data(contentsOf: place.url("sae/checkpoint/manifest.json")) == manifest)
    let left = try FileManager.default.contentsOfDirectory(atPath: place.url("sae/checkpoint").path)
    #expect(left.count == 2, "\(left)")
  }

  /// More features than any memory holds are refused before any is taken.
  @Test func aWidthBeyondMemoryIsRefused() throws {
    let place = try Place()
    let recipe = """
      {"schema":1,"kind":"crosscoder","reads":["resid_post.0","resid_post.1","resid_post.2","resid_post.3"],
      "width":67108864,"batch":64,"window":512,"adam":{"beta1":0.9}}
      """
    let result = try Tool.run(try place.train("wide", recipe: recipe))
    #expect(result.status == 1 && result.errors.contains("'width' asks for"), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: place.url("wide").path))
  }

  /// A trained dictionary goes on end to end; killed on the way, it ends alike.
  @Test func aDictionaryIsFineTunedEndToEnd() throws {
    let place = try Place()
    #expect(try Tool.run(try place.train("start")).status == 0)
    let recipe = """
      {"schema":1,"reads":"resid_post.2","width":48,"l0":6,"batch":128,"tokens":4000,"context":64,"start":"start",
      "end_to_end":{"beta":2},"learning_rate":0.0005,"bandwidth":0.05,"sparsity":{"coefficient":0.01},
      "schedule":{"warmup":{"share":0.1}},"matryoshka":{"prefixes":[16]}}
      """
    let result = try Tool.run(try place.train("whole", recipe: recipe, ["--json"]))
    #expect(result.status == 0, "\(result.errors)")
    let metrics = try String(contentsOf: place.url("whole/metrics.jsonl"), encoding: .utf8)
    #expect(metrics.split(separator: "\n").allSatisfy { $0.contains("\"kl\":") }, "\(metrics)")
    let training = try String(contentsOf: place.url("whole/training.json"), encoding: .utf8)
    #expect(training.contains("\"end_to_end\":{\"beta\":2}"))
    var random = SeededRandom(seed: UInt64(getpid()))
    var status: Int32 = -1
    for attempt in 0..<30 where status != 0 {
      let process = try Tool.process(
        try place.train("killed", recipe: recipe, ["--resume", "--checkpoint-every", "0.0005"]))
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      if attempt < 5 {
        usleep(UInt32(random.int(50...500)) * 1000)
        kill(process.processIdentifier, SIGKILL)
      }
      process.waitUntilExit()
      status = process.terminationReason == .exit ? process.terminationStatus : -1
    }
    #expect(status == 0)
    for (name, contents) in try place.files("whole") { #expect(try place.files("killed")[name] == contents, "\(name)") }

    let file = try place.directory.write(Array(recipe.utf8), as: "e.json").path
    let store = try Tool.run([
      "train", "--model", Tool.model, "--recipe", file, "--store", "acts", "--output", place.url("out").path,
    ])
    #expect(store.status == 1 && store.errors.contains("'end_to_end' needs whole sequences"), "\(store.errors)")
  }

  @Test func suitesAreBuiltInOnePass() throws {
    let place = try Place()
    let suite = """
      {"schema":1,"base":\(Place.recipe),"common":{"tokens":4000},"dictionaries":[
      {"name":"resid/{layer}","layers":[1,2],"reads":"resid_post.{layer}"},
      {"name":"transcoder/{layer}","layers":"all","kind":"transcoder","reads":"mlp_in.{layer}","affine":true,"width":24,
      "matryoshka":{"prefixes":[8]}},
      {"name":"crosscoder","kind":"crosscoder","reads":["resid_post.1","resid_post.2"],"width":24,
      "matryoshka":{"prefixes":[8]}}]}
      """
    let file = try place.directory.write(Array(suite.utf8), as: "suite.json").path
    for compact in [false, true] {
      let output = place.url("suite-\(compact)").path
      let result = try Tool.run(
        [
          "suite", "build", file, "--model", Tool.model, "--corpus", place.corpus, "--heldout", place.heldOut,
          "--heldout-tokens", "200", "--loss-tokens", "64", "--output", output, "--json",
        ] + (compact ? ["--compact"] : []))
      #expect(result.status == 0, "\(result.errors)")
      let json = try #require(
        try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: output + "/suite.json")))
          as? [String: Any])
      let entries = try #require(json["dictionaries"] as? [[String: Any]])
      #expect(entries.count == 2 + 7 + 1)
      #expect(entries.allSatisfy { (($0["card"] as? [String: Any])?["fvu_fp32"] != nil) == compact })
      let features = try Tool.run([
        "features", "--model", Tool.model, "--dictionary", output + "/resid/2", "--dictionary", output + "/crosscoder",
        "--text", "word1 word2", "--json",
      ])
      #expect(features.status == 0, "\(features.errors)")
    }
  }

  @Test func mistakesAreNamed() throws {
    let place = try Place()
    let recipe = try place.directory.write(Array(Place.recipe.utf8), as: "r.json").path
    let wide = Place.recipe.replacing("resid_post.2", with: "resid_post.9")
    for (arguments, status, text) in [
      (["--recipe", recipe], Int32(2), "--corpus"),
      (["--recipe", recipe, "--corpus", place.corpus, "--store", "x"], 2, "exclude"),
      (["--recipe", recipe + "x", "--corpus", place.corpus], 1, "cannot be read"),
      (["--recipe", recipe, "--corpus", place.corpus + "x"], 1, "no such file"),
      (["--recipe", recipe, "--corpus", place.corpus, "--tokens", "0"], 2, "--tokens"),
      (
        ["--recipe", try place.directory.write(Array(wide.utf8), as: "w.json").path, "--corpus", place.corpus], 1,
        "resid_post.9"
      ),
    ] {
      let result = try Tool.run(
        ["train", "--model", Tool.model, "--output", place.url("out").path] + arguments)
      #expect(result.status == status, "\(arguments): \(result.errors)")
      #expect(result.errors.contains(text), "\(result.errors)")
    }
  }
}
