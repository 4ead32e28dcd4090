import Foundation
import TestSupport

/// A folder with texts and a recipe for the tiny model (4 layers, 32 wide).
struct TrainingPlace {
  let directory: TemporaryDirectory
  let corpus: String
  let heldOut: String

  init() throws {
    directory = try TemporaryDirectory()
    func texts(_ count: Int, seed: UInt64) -> [UInt8] {
      var random = SeededRandom(seed: seed)
      return (0..<count).flatMap { id in
        Array(
          "{\"id\":\(id),\"text\":\"\((0..<60).map { _ in "word\(random.int(0...99))" }.joined(separator: " "))\"}\n"
            .utf8)
      }
    }
    corpus = try directory.write(texts(60, seed: 1), as: "train.jsonl").path
    heldOut = try directory.write(texts(6, seed: 2), as: "heldout.jsonl").path
  }

  func url(_ name: String) -> URL { directory.url.appending(path: name) }

  static let recipe = """
    {"schema":1,"reads":"resid_post.2","width":48,"l0":6,"batch":64,"tokens":12000,"repeats":2,"window":512,
    "context":64,"learning_rate":0.002,"bandwidth":0.05,"sparsity":{"coefficient":0.01,"ramp":{"share":0.2}},
    "schedule":{"warmup":{"share":0.05},"decay":{"share":0.2}},"threshold":{"start":"quantile"},"dead_after":2000,
    "initialisation":{"decoder_bias":"mean"},"matryoshka":{"prefixes":[16]}}
    """

  func train(_ output: String, recipe: String = TrainingPlace.recipe, _ more: [String] = []) throws -> [String] {
    let file = try directory.write(Array(recipe.utf8), as: "recipe.json").path
    return [
      "train", "--model", CommandLineTool.model, "--recipe", file, "--corpus", corpus, "--heldout", heldOut,
      "--heldout-tokens", "400", "--loss-tokens", "100", "--output", url(output).path, "--metrics-every", "5",
    ] + more
  }

  /// The files of a finished run, metrics without the number that depends on the clock.
  func files(_ output: String) throws -> [String: String] {
    var files: [String: String] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: url(output).path) {
      let data = try Data(contentsOf: url(output).appending(path: name))
      files[name] =
        name == "metrics.jsonl"
        ? String(decoding: data, as: UTF8.self).replacing(/"tokens_per_second":[^}]*/, with: "")
        : data.base64EncodedString()
    }
    return files
  }
}
