import Atlas
import Dictionaries
import Foundation
import Gemma

/// `gscope atlas import` of a packed atlas.
struct PackedImport {
  let file: URL
  let model: ModelOptions
  let dictionaries: DictionaryOptions

  func run(to output: String, json: Bool) throws {
    let start = ContinuousClock.now
    let packed = try PackedAtlas(contentsOf: file)
    let opened = try model.open()
    let tokenizer = try opened.tokenizer.required()
    var options = dictionaries
    if options.dictionary.isEmpty { options.dictionary = [try suite()] }
    let items = try options.openAll(for: opened).map(\.dictionary)
    let view = AtlasProgress()
    try packed.expand(
      to: URL(filePath: output), dictionaries: items, model: opened.model,
      AtlasModel(name: opened.name, sha256: try opened.weightHash()), tokenizer: tokenizer, report: view.show,
      check: Interruption.check)
    let atlas = try Atlas(contentsOf: URL(filePath: output))
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    if json { return try AtlasFileReport.imported(atlas, from: "packed", seconds: seconds) }
    let features = atlas.dictionaries.reduce(0) { $0 + $1.features }
    try StandardOutput.line(
      "\(Format.count(features, "feature")) of \(atlas.dictionaries.count) dictionaries in \(output), "
        + Format.duration(seconds))
  }

  /// The suite in whose folder the file lies.
  private func suite() throws -> String {
    var folder = file.deletingLastPathComponent()
    for _ in 0..<3 {
      if Suite.isSuite(folder) { return folder.relativePath }
      folder.deleteLastPathComponent()
    }
    throw CommandError.usage("Name the dictionaries, or their suite's folder, with --dictionary.")
  }
}
