import ArgumentParser
import Atlas
import Foundation

/// `gscope atlas export`
struct AtlasExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write what an atlas holds in the format of others.",
    discussion: """
      Example: gscope atlas export atlas.sqlite --to gemma-scope-2 --dictionary layer_9_width_2k_l0_60 \
      --output examples.safetensors
      """)

  /// Formats that are written.
  enum Format: String, CaseIterable, ExpressibleByArgument {
    /// `examples.safetensors`.
    case gemmaScope2 = "gemma-scope-2"
    /// A small file that `gscope atlas import` expands again.
    case packed
  }

  @OptionGroup var path: AtlasPath

  @Option(help: ArgumentHelp("The format: gemma-scope-2 (examples.safetensors), packed.", valueName: "format"))
  var to: Format

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Its name in the atlas; not needed where there is but one.", valueName: "name"))
  var dictionary: String?

  @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file"), completion: .file())
  var output: String

  @OptionGroup(title: "Packed atlases") var packing: PackingFlags

  func run() throws {
    let atlas = try Atlas(contentsOf: path.url)
    if to == .packed { return try packing.pack(atlas, to: output) }
    guard let name = dictionary ?? (atlas.dictionaries.count == 1 ? atlas.dictionaries[0].name : nil) else {
      throw CommandError.usage(
        "--dictionary: name one of \(atlas.dictionaries.map(\.name).joined(separator: ", "))")
    }
    try atlas.writeExamples(of: name, to: URL(filePath: output), check: Interruption.check)
    try StandardOutput.line("examples of \(name) in \(output)")
  }
}
