import ArgumentParser
import Foundation

/// The command `gscope`. It only parses and shows; the work is done by the libraries of the package.
@main
struct Gscope: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "gscope",
    abstract: "Look inside Gemma 3: run it, and read it through sparse dictionaries.",
    discussion: """
      Example: gscope lens --text "The Eiffel Tower stands in the city of"

      Without --model the model is the one that GSCOPE_MODEL names, else the only one in models/ or \
      ~/.cache/gemmascope/models. 'gscope doctor' tells what was found. Shell completion: \
      gscope --generate-completion-script bash|zsh|fish.
      """,
    version: version,
    subcommands: [
      InfoCommand.self, VerifyCommand.self, ConvertCommand.self, TokenizeCommand.self, LogitsCommand.self,
      LensCommand.self, ActivationsCommand.self, HarvestCommand.self, FeaturesCommand.self, GenerateCommand.self,
      InterveneCommand.self, TrainCommand.self, SuiteCommand.self, EvaluateCommand.self, AtlasCommand.self,
      ExplainCommand.self, PlanCommand.self, DoctorCommand.self,
    ])

  static func main() { Foundation.exit(CommandRunner.run(Array(CommandLine.arguments.dropFirst()))) }
}
