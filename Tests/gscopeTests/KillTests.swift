import Foundation
import TestSupport
import Testing

/// `kill -9` at random moments of training and of harvesting, and in the middle of writing checkpoints and results.
@Suite(.serialized) struct KillTests {
  private typealias Tool = CommandLineTool

  /// Everything but the speed in `metrics.jsonl` (`tokens_per_second`) is the same to the byte.
  @Test func killedTrainingsEndAlike() throws {
    let place = try TrainingPlace()
    let recipe = TrainingPlace.recipe.replacing("12000", with: "30000")
    let kills = RandomKills(
      command: { folder in
        try place.train(
          folder.lastPathComponent, recipe: recipe,
          ["--name", "sae", "--plot", "--checkpoint-every", "0.0001", "--resume"])
      }, place: place.directory.url
    ) { name, data in
      guard name == "metrics.jsonl" else { return data }
      return Data(String(decoding: data, as: UTF8.self).replacing(/"tokens_per_second":[^},]*/, with: "").utf8)
    }
    let sights = [
      "checkpoint/.partial-*", "checkpoint/manifest.json", ".partial-*", "params.safetensors", "config.json",
      "training.json", "plots",
    ]
    let outcome = try kills.run(count: 20, sights: sights, seed: 1)
    #expect(outcome.kills >= 20, "\(outcome)")
    #expect(outcome.killsDuringWrites > 0, "\(outcome)")
  }

  @Test func killedHarvestsEndAlike() throws {
    let place = try TrainingPlace()
    let kills = RandomKills(
      command: { folder in
        [
          "harvest", "--model", Tool.model, "--corpus", place.corpus, "--site", "resid_post.5,attn_out.3", "--context",
          "64",
          "--batch", "2", "--rows-per-file", "300", "--output", folder.path,
        ]
      }, place: place.directory.url
    ) { $1 }
    let sights = [
      "harvest.json", ".partial-*", "rows-00003.safetensors", "store.json",
    ]
    let outcome = try kills.run(count: 20, sights: sights, seed: 2)
    #expect(outcome.kills >= 20, "\(outcome)")
    #expect(outcome.killsDuringWrites > 0, "\(outcome)")
  }
}
