import ArgumentParser
import Collectives
import Foundation
import Training

/// `gscope train`
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a sparse dictionary on a model's activations.",
    discussion: """
      The recipe is one JSON file (see docs/training.md; recipes/short-run.json is made for millions of tokens, \
      recipes/gemma-scope-2.json for billions). The output folder gets the dictionary in Gemma Scope 2's layout, \
      training.json with the figures measured on held-out text, and metrics.jsonl. Checkpoints are written as it goes; \
      after a crash or Ctrl-C (exit status 130) --resume goes on to the same result, bit for bit. Several ranks share the \
      model's pass and the dictionary's features: mpirun -n R gscope train …

      Examples:
        gscope train --recipe recipes/short-run.json --corpus .cache/corpus/train.jsonl.gz \
      --heldout .cache/corpus/heldout.jsonl.gz --output sae-9
        gscope train --recipe my.json --store acts --tokens 2000000 --output sae-9 --plot
        gscope train --recipe my.json --store acts --output sae-9 --resume
      """)

  @OptionGroup var model: ModelOptions

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The recipe.", valueName: "file"), completion: .file(extensions: ["json"]))
  var recipe: String

  @OptionGroup var training: TrainingOptions

  @Option(
    name: .customLong("name"), help: ArgumentHelp("How the dictionary is called; the output folder's name without."))
  var dictionaryName: String?

  func run() throws { try Ranks.run(train) }

  private func train(_ ranks: any Communicator) throws {
    let url = URL(filePath: recipe)
    let recipe = try ranks.together { training.adjusted(try Recipe(contentsOf: url)) }
    let folder = training.folder
    let name = dictionaryName ?? recipe.name ?? folder.standardizedFileURL.lastPathComponent
    let item = TrainingSession.Item(name: name, recipe: recipe, folder: folder)
    if let finished = try FinishedTraining(folder, resumes: training.resume, ranks) {
      return try finished.confirm([item], training, ranks)
    }
    let threads = try Ranks.threads(ranks)
    let session = TrainingSession(
      opened: try ranks.together { try model.open(threads: threads) }, options: training,
      items: [item], isCompact: false, recipeURL: url, ranks: ranks)
    guard let trained = try session.run() else { return }
    try TrainingReport(trained: trained, folder: folder).show(json: training.json)
  }
}
