import Activations
import ArgumentParser
import Checkpoints
import Collectives
import Dictionaries
import Foundation
import Gemma
import Sites
import Training

/// `gscope suite`
struct SuiteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "suite", abstract: "Train all dictionaries of a suite.", subcommands: [SuiteBuildCommand.self])
}

/// `gscope suite build`
struct SuiteBuildCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "build", abstract: "Train all dictionaries of a suite from one pass of the model.",
    discussion: """
      The recipe lists the dictionaries (see docs/training.md and recipes/suite-270m.json). The output folder gets one \
      folder for each and suite.json, which lists them with the figures measured on held-out text.

      Example: gscope suite build recipes/suite-270m.json --corpus .cache/corpus/train.jsonl.gz \
      --heldout .cache/corpus/heldout.jsonl.gz --output suite-270m --compact
      """)

  @OptionGroup var model: ModelOptions

  @Argument(help: ArgumentHelp("The suite's recipe.", valueName: "recipe"), completion: .file(extensions: ["json"]))
  var recipe: String

  @OptionGroup var training: TrainingOptions

  @Flag(help: "Write the dictionaries in the compact form: packed int8, a sixth of the size.") var compact = false

  func run() throws { try Ranks.run(build) }

  private func build(_ ranks: any Communicator) throws {
    let url = URL(filePath: recipe)
    let folder = training.folder
    let finished = try FinishedTraining(folder, resumes: training.resume, ranks)
    let threads = try Ranks.threads(ranks)
    let (opened, suite) = try ranks.together {
      let opened = try model.open(threads: threads)
      return (opened, try SuiteRecipe(contentsOf: url, layers: opened.model.shape.layers))
    }
    let items = suite.recipes.map { recipe in
      let name = recipe.name ?? ""
      return TrainingSession.Item(name: name, recipe: training.adjusted(recipe), folder: folder.appending(path: name))
    }
    if let finished { return try finished.confirm(items, training, ranks) }
    let session = TrainingSession(
      opened: opened, options: training, items: items, isCompact: compact, recipeURL: url, ranks: ranks)
    let trained = try session.run { trained in
      let text = TrainingReport(trained: trained, folder: folder).suiteText(
        modelName: opened.name, modelSHA256: try opened.weightHash())
      try AtomicFile.write(Data(text.utf8), to: folder.appending(path: "suite.json"))
    }
    if let trained { try TrainingReport(trained: trained, folder: folder).show(json: training.json) }
  }
}
