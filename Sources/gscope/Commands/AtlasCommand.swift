import ArgumentParser
import Foundation

/// `gscope atlas`
struct AtlasCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "atlas", abstract: "What every feature of some dictionaries means: build it, look it up.",
    subcommands: [
      AtlasBuildCommand.self, AtlasShowCommand.self, AtlasSearchCommand.self, AtlasExportCommand.self,
      AtlasImportCommand.self, AtlasCheckCommand.self,
    ])
}

/// Which atlas.
struct AtlasPath: ParsableArguments {
  @Argument(help: ArgumentHelp("The atlas.", valueName: "atlas"), completion: .file(extensions: ["sqlite"]))
  var atlas: String

  var url: URL { URL(filePath: atlas) }
}
