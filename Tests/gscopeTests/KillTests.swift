import Foundation
import TestSupport
import Testing

/// `kill -9` at random moments of training and of harvesting, and in the middle of writing checkpoints and results.
@Suite(.serialized) struct KillTests {
  private typealias Tool = CommandLineTool

  private func texts(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SeededRandom(seed: seed)
    let lines = (0..<count).map { _ in
      "{\"text\":\"\((0..<60).map { _ in "word\(random.int(0...99))" }.joined(separator: " "))\"}\n"
    }
    return Array(lines.joined().utf8)
  }

  /// Everything but the speed in `metrics.jsonl` (`tokens_per_second`) is the same to the byte.
  @Test func killedTrainingsEndAlike() throws {
    let directory = try TemporaryDirectory()
    let corpus = try directory.write(texts(60, seed: 1), as: "train.jsonl").path
    let heldOut = try directory.write(texts(6, seed: 2), as: "heldout.jsonl").path
    let recipe = """
      {"schema":1,"reads":"resid_post.2","width":48,"l0":6,"batch":64,"tokens":30000,"repeats":2,"window":512,
      "context":64,"learning_rate":0.002,"bandwidth":0.05,"sparsity":{"coefficient":0.01,"ramp":{"share":0.2}},
      "schedule":{"warmup":{"share":0.05},"decay":{"share":0.2}},"threshold":{"start":"quantile"},"dead_after":2000,
      "initialisation":{"decoder_bias":"mean"},"matryoshka":{"prefixes":[16]}}
      """
    let file = try directory.write(Array(recipe.utf8), as: "recipe.json").path
    let kills = RandomKills(
      command: { folder in
        [
          "train", "--model", Tool.model, "--recipe", file, "--corpus", corpus, "--heldout", heldOut,
          "--heldout-tokens", "400", "--loss-tokens", "100", "--name", "sae", "--output", folder.path,
          "--metrics-every", "5", "--checkpoint-every", "0.0001", "--resume",
        ]
      }, place: directory.url
    ) { name, data in
      name != "metrics.jsonl"
        ? data
        : Data(
          String(decoding: data, as: UTF8.self).replacing(/"tokens_per_second":[^},]*/, with: "").utf8)
    }
    let sights = [
      "checkpoint/.partial-*", "checkpoint/manifest.json", ".partial-*", "params.safetensors", "config.json",
      "training.json",
    ]
    let outcome = try kills.run(count: 20, sights: sights, seed: 1)
    #expect(outcome.kills >= 20, "\(outcome)")
    #expect(outcome.killsDuringWrites > 0, "\(outcome)")
  }

  @Test func killedHarvestsEndAlike() throws {
    let directory = try TemporaryDirectory()
    let corpus = try directory.write(texts(60, seed: 3), as: "texts.jsonl").path
    let kills = RandomKills(
      command: { folder in
        [
          "harvest", "--model", Tool.model, "--corpus", corpus, "--site", "resid_post.5,attn_out.3", "--context", "64",
          "--batch", "2", "--rows-per-file", "300", "--output", folder.path,
        ]
      }, place: directory.url
    ) { $1 }
    let sights = [
      "harvest.json", ".partial-*", "rows-00003.safetensors", "store.json",
    ]
    let outcome = try kills.run(count: 20, sights: sights, seed: 2)
    #expect(outcome.kills >= 20, "\(outcome)")
    #expect(outcome.killsDuringWrites > 0, "\(outcome)")
  }
}
