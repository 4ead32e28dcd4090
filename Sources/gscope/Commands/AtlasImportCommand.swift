import ArgumentParser
import Atlas
import Dictionaries
import Foundation

/// `gscope atlas import`
struct AtlasImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Make an atlas of a packed one, or of published examples.",
    discussion: """
      A packed atlas ('gscope atlas export --to packed') is expanded with the model and the dictionaries that it was \
      made with; those of the suite in whose folder it lies need not be named.

      Of a published examples.safetensors, rates, largest examples and logit tables are taken over; counts, quantiles \
      and smaller examples are not in such files. Before that, the tables are compared with what the dictionary raises \
      in this model.

      Examples: gscope atlas import suites/gemma-3-270m/atlas/atlas.gsatlas --output atlas.sqlite
      gscope atlas import scope/examples.safetensors --dictionary scope --output atlas.sqlite
      """)

  @Argument(
    help: ArgumentHelp("The file.", valueName: "file"), completion: .file(extensions: ["gsatlas", "safetensors"]))
  var examples: String

  @OptionGroup var model: ModelOptions
  @OptionGroup var dictionaries: DictionaryOptions

  @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file"), completion: .file())
  var output: String

  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    guard isPacked || dictionaries.dictionary.count == 1 else {
      throw ValidationError("Give the one --dictionary that the examples are of.")
    }
  }

  private var isPacked: Bool { PackedAtlas.isPacked(URL(filePath: examples)) }

  func run() throws {
    if isPacked {
      let packed = PackedImport(file: URL(filePath: examples), model: model, dictionaries: dictionaries)
      return try packed.run(to: output, json: json)
    }
    let start = ContinuousClock.now
    let opened = try model.open()
    let tokenizer = try opened.tokenizer.required()
    let items = try dictionaries.open(for: opened)
    guard let item = items.first else {
      throw CommandError.usage("Give the one --dictionary that the examples are of.")
    }
    let url = URL(filePath: output)
    let importer = try AtlasImporter(
      URL(filePath: examples), dictionary: item.dictionary, model: opened.model,
      AtlasModel(name: opened.name, sha256: try opened.weightHash()), tokenizer: tokenizer)
    let progress = Progress("import", total: item.dictionary.shape.width, unit: "features")
    try importer.write(to: url) { try progress.advance(by: 1) }
    if json {
      return try AtlasFileReport.imported(
        Atlas(contentsOf: url), from: "gemma-scope-2", seconds: (ContinuousClock.now - start) / .seconds(1))
    }
    try StandardOutput.line("\(Format.count(item.dictionary.shape.width, "feature")) in \(output)")
  }
}
