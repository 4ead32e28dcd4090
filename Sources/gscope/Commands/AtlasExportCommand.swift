import ArgumentParser
import Atlas
import Foundation

/// `gscope atlas export`
struct AtlasExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write what an atlas holds in the format of others.",
    discussion: """
      Examples:
        gscope atlas export atlas.sqlite --to gemma-scope-2 --dictionary layer_9_width_2k_l0_60 \
      --output examples.safetensors
        gscope atlas export atlas.sqlite --to neuronpedia --model-id gemma-3-270m --output neuronpedia
        gscope atlas export atlas.sqlite --to packed --top 5 --output atlas.gsatlas
      """)

  /// Formats that are written.
  enum Format: String, CaseIterable, ExpressibleByArgument {
    /// `examples.safetensors`.
    case gemmaScope2 = "gemma-scope-2"
    /// A folder of rows as Neuronpedia's import reads them.
    case neuronpedia
    /// A small file that `gscope atlas import` expands again.
    case packed
  }

  @OptionGroup var path: AtlasPath

  @Option(
    help: ArgumentHelp(
      "The format: gemma-scope-2 (examples.safetensors), neuronpedia (a folder), or packed (a small file).",
      valueName: "format"))
  var to: Format

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Its name in the atlas; not needed where there is but one. For neuronpedia repeatable, all without it.",
      valueName: "name"))
  var dictionary: [String] = []

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The file or folder to write.", valueName: "path"), completion: .file())
  var output: String

  @Flag(help: "Write JSON.") var json = false

  @OptionGroup(title: "Neuronpedia") var neuronpedia: NeuronpediaArguments
  @OptionGroup(title: "Packed atlases") var packing: PackingFlags

  func validate() throws {
    for (format, given) in [(Format.neuronpedia, neuronpedia.given), (.packed, packing.given)] where to != format {
      if let given { throw ValidationError("\(given) belongs to --to \(format.rawValue).") }
    }
    if to == .gemmaScope2, dictionary.count > 1 {
      throw ValidationError("--to gemma-scope-2 writes one dictionary; \(dictionary.count) are named.")
    }
    if to == .packed, !dictionary.isEmpty {
      throw ValidationError("--dictionary: --to packed writes the whole atlas.")
    }
  }

  func run() throws {
    let atlas = try Atlas(contentsOf: path.url)
    switch to {
    case .gemmaScope2: try writeExamples(atlas)
    case .neuronpedia:
      try neuronpedia.write(atlas, dictionary.isEmpty ? nil : dictionary, to: URL(filePath: output), json: json)
    case .packed: try packing.pack(atlas, to: output, json: json)
    }
  }

  private func writeExamples(_ atlas: Atlas) throws {
    guard let name = dictionary.first ?? (atlas.dictionaries.count == 1 ? atlas.dictionaries[0].name : nil) else {
      throw CommandError.usage(
        "--dictionary: name one of \(atlas.dictionaries.map(\.name).joined(separator: ", "))")
    }
    let url = URL(filePath: output)
    try atlas.writeExamples(of: name, to: url, check: Interruption.check)
    if json {
      let members: [(key: String, value: JSONValue)] = [
        ("dictionaries", AtlasFileReport.dictionaries([try atlas.dictionary(name)]))
      ]
      return try AtlasFileReport(url: url, kind: to.rawValue, members: members).write()
    }
    try StandardOutput.line("examples of \(name) in \(output)")
  }
}
