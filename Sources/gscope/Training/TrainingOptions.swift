import Activations
import ArgumentParser
import Foundation
import Training

/// What `gscope train` and `gscope suite build` have in common.
struct TrainingOptions: ParsableArguments {
  @OptionGroup var texts: CorpusFiles

  @Option(
    help: ArgumentHelp(
      "Activations to train on, as 'gscope harvest' stored them, instead of --corpus.", valueName: "dir"),
    completion: .directory)
  var store: String?

  @Option(
    help: ArgumentHelp(
      "Text to measure on, which training must not see. Without it one document in fifty of the corpus is held out.",
      valueName: "path"),
    completion: .file())
  var heldout: [String] = []

  @Option(help: ArgumentHelp("Held-out tokens on which L0, FVU and dead features are measured.", valueName: "n"))
  var heldoutTokens = 16_384

  @Option(help: ArgumentHelp("Held-out tokens on which losses are measured; 0 for none.", valueName: "n"))
  var lossTokens = 4096

  @Option(name: .shortAndLong, help: ArgumentHelp("The folder to write.", valueName: "dir"), completion: .directory)
  var output: String

  @Option(help: ArgumentHelp("Activations to train on, instead of the recipe's.", valueName: "n"))
  var tokens: Int?

  @Option(help: ArgumentHelp("Seed, instead of the recipe's.", valueName: "n"))
  var seed: Int?

  @Flag(help: "Go on with the run in the output folder; without a checkpoint there, begin it.")
  var resume = false

  @Flag(help: "Draw the curves as SVG into the folder 'plots'.") var plot = false

  @Option(help: ArgumentHelp("Minutes between checkpoints.", valueName: "minutes"))
  var checkpointEvery = 10.0

  @Option(help: ArgumentHelp("Steps between lines of metrics.jsonl.", valueName: "n"))
  var metricsEvery = 10

  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    func require(_ condition: Bool, _ flag: String, _ found: Any, _ expected: String) throws {
      if !condition { throw ValidationError("\(flag) is \(found); expected \(expected).") }
    }
    try require(heldoutTokens >= 64, "--heldout-tokens", heldoutTokens, "a number from 64")
    try require(lossTokens >= 0, "--loss-tokens", lossTokens, "a number from 0")
    try require(
      Recipe.tokenRange ~= tokens ?? 1, "--tokens", tokens ?? 0, "a number from 1 to \(Recipe.tokenRange.upperBound)")
    try require(0...(1 << 53) ~= seed ?? 0, "--seed", seed ?? 0, "a number from 0 to 2⁵³")
    try require(
      checkpointEvery > 0 && checkpointEvery.isFinite, "--checkpoint-every", checkpointEvery, "a positive number")
    try require(metricsEvery >= 1, "--metrics-every", metricsEvery, "a number from 1")
    try require(!output.isEmpty, "--output", "empty", "a folder")
    if corpus.isEmpty, store == nil { throw ValidationError("Missing --corpus PATH (or --store DIR).") }
    if !corpus.isEmpty, store != nil {
      throw ValidationError("--corpus and --store exclude each other; give one.")
    }
  }

  var corpus: [String] { texts.corpus }

  var folder: URL { URL(filePath: output) }

  var runOptions: TrainingRun.Options {
    TrainingRun.Options(checkpointEvery: checkpointEvery * 60, metricsEvery: metricsEvery)
  }

  /// The recipe with what the command line has instead.
  func adjusted(_ recipe: Recipe) -> Recipe {
    var recipe = recipe
    if let tokens { recipe.tokens = tokens }
    if let seed { recipe.seed = seed }
    return recipe
  }
}
