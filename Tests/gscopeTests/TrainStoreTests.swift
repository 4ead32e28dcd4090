import Foundation
import TestSupport
import Testing

/// `gscope train --store`: what is stored must be what model and recipe ask for.
@Suite(.serialized) struct TrainStoreTests {
  private typealias Tool = CommandLineTool

  private let place: TrainingPlace

  init() throws { place = try TrainingPlace() }

  private func harvest(_ name: String, _ more: String...) throws {
    let result = try Tool.run(
      [
        "harvest", "--model", Tool.model, "--corpus", place.corpus, "--site", "resid_post.2", "--context", "64",
        "--tokens", "3000", "--output", place.url(name).path,
      ] + more)
    #expect(result.status == 0, "\(result.errors)")
  }

  private func train(
    _ store: String, model: String = Tool.model, changing recipe: (String, String) = ("", ""), _ more: String...
  ) throws -> Tool.Result {
    var text = TrainingPlace.recipe
    if !recipe.0.isEmpty { text = text.replacing(recipe.0, with: recipe.1) }
    let file = try place.directory.write(Array(text.utf8), as: "store.json").path
    return try Tool.run(
      [
        "train", "--model", model, "--recipe", file, "--store", place.url(store).path, "--heldout-tokens", "64",
        "--loss-tokens", "0", "--tokens", "2000", "--output", place.url("sae").path,
      ] + more)
  }

  @Test func aStoreIsTrainedOnAndNamed() throws {
    try harvest("acts")
    let result = try train("acts", "--heldout", place.corpus)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("warning: --heldout is the text that the store was harvested from"))
    let data = try Data(contentsOf: place.url("sae/training.json"))
    let training = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let run = try #require(training["run"] as? [String: Any])
    #expect((run["store_sha256"] as? String)?.count == 64)
  }

  @Test func anotherModelIsRefused() throws {
    try harvest("acts")
    let other = place.url("gemma-3-other")
    try FileManager.default.copyItem(at: URL(filePath: Tool.model), to: other)
    let weights = other.appending(path: "model.safetensors")
    var bytes = try Data(contentsOf: weights)
    bytes[bytes.count - 1] ^= 1
    try FileManager.default.removeItem(at: weights)
    try bytes.write(to: weights)
    let result = try train("acts", model: other.path)
    #expect(result.status == 1)
    #expect(result.errors.contains("holds activations of causal (SHA-256 "), "\(result.errors)")
    #expect(result.errors.contains("--model is gemma-3-other (SHA-256 "), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: place.url("sae").path))
  }

  @Test func whatTheRecipeSaysOfActivationsMustBeSo() throws {
    try harvest("all")
    try harvest("filtered", "--norm-filter", "6")
    let filter = ("\"window\":512", "\"window\":512,\"norm_filter\":6")
    for (store, change, text) in [
      ("all", filter, "'norm_filter' is 6, which would be measured at resid_post.2, but the store"),
      ("filtered", (filter.0, filter.1.replacing(":6", with: ":7")), "was harvested with 6 at resid_post.2"),
      ("all", ("\"context\":64", "\"context\":32"), "'context' is 32, but the store"),
    ] {
      let result = try train(store, changing: change)
      #expect(result.status == 1 && result.errors.contains(text), "\(result.errors)")
      #expect(!FileManager.default.fileExists(atPath: place.url("sae").path))
    }
    for change in [filter, ("", "")] {
      let result = try train("filtered", changing: change)
      #expect(result.status == 0, "\(result.errors)")
      try FileManager.default.removeItem(at: place.url("sae"))
    }
  }

  /// The same text stored otherwise is other activations; the same store elsewhere is the same.
  @Test func aRunGoesOnWithItsOwnStore() throws {
    try harvest("acts")
    try harvest("rough", "--dtype", "int8")
    let endless = ("12000", "90000000")
    let file = try place.directory.write(
      Array(TrainingPlace.recipe.replacing(endless.0, with: endless.1).utf8), as: "endless.json"
    ).path
    func arguments(_ store: String) -> [String] {
      [
        "train", "--model", Tool.model, "--recipe", file, "--store", place.url(store).path, "--output",
        place.url("sae").path, "--resume", "--metrics-every", "5",
      ]
    }
    /// Runs until there are metrics, then sends SIGINT.
    func interrupted(_ store: String) throws -> Int32 {
      let process = try Tool.process(arguments(store))
      process.standardError = FileHandle.nullDevice
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      let metrics = place.url("sae/metrics.jsonl")
      for _ in 0..<600 where process.isRunning {
        if let size = try? URL(filePath: metrics.path).resourceValues(forKeys: [.fileSizeKey]).fileSize, size > 0 {
          break
        }
        usleep(100_000)
      }
      kill(process.processIdentifier, SIGINT)
      process.waitUntilExit()
      return process.terminationStatus
    }
    #expect(try interrupted("acts") == 130)
    let other = try Tool.run(arguments("rough"))
    #expect(
      other.status == 1 && other.errors.contains("another source of activations: a store with"), "\(other.errors)")
    try FileManager.default.moveItem(at: place.url("acts"), to: place.url("moved"))
    #expect(try interrupted("moved") == 130)
  }
}
