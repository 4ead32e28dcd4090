import ArgumentParser
import Atlas
import Dictionaries
import Foundation
import Gemma

/// `gscope atlas check`
struct AtlasCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check that an atlas is whole and agrees with itself, and with the model.",
    discussion: """
      --recount runs the model again over sequences that the atlas holds and compares the activations of their \
      examples; dictionaries are opened from where they were, or from --dictionary.

      Example: gscope atlas check atlas.sqlite --recount 2000
      """)

  @OptionGroup var path: AtlasPath
  @OptionGroup var model: ModelOptions
  @OptionGroup var dictionaries: DictionaryOptions

  @Option(help: ArgumentHelp("Run so many tokens again.", valueName: "n")) var recount: Int?
  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    if let recount, recount < 1 { throw ValidationError("--recount is \(recount); expected 1 or more.") }
  }

  func run() throws {
    let atlas = try Atlas(contentsOf: path.url, allowPartial: true)
    var found = try atlas.check(check: Interruption.check)
    let again = try recount.map { try self.recount(atlas, tokens: $0, &found) }
    if let again, again.differing > 0 {
      found.faults += again.faults
      found.faults.append("\(Format.count(again.differing, "example")) of \(again.examples) differ")
    }
    let digest = try atlas.digest(check: Interruption.check)
    if json {
      try StandardOutput.line(AtlasReport.json(found, again, digest: digest))
    } else {
      for fault in found.faults { try StandardOutput.line(TextStyle.bad.apply("fault: ") + fault) }
      for remark in found.remarks { try StandardOutput.line(TextStyle.warning.apply("note: ") + remark) }
      if let again {
        try StandardOutput.line(
          "\(Format.count(again.examples, "example")) made again over \(Format.count(again.tokens, "token")); the "
            + "largest relative difference is \(Format.short(again.worst * 1e6)) millionths")
      }
      try StandardOutput.line("\(Format.count(found.features, "feature")), digest \(digest)")
    }
    if !found.faults.isEmpty {
      throw CommandError.checkFailed("\(path.atlas): \(Format.count(found.faults.count, "fault"))")
    }
  }

  private func recount(_ atlas: Atlas, tokens: Int, _ found: inout AtlasCheck) throws -> AtlasRecount {
    let opened = try model.open()
    if try atlas.meta("model_sha256") != opened.weightHash() {
      found.remarks.append("the model is not the one the atlas was made with: other weights")
    }
    var list = try dictionaries.openAll(for: opened).map(\.dictionary)
    if list.isEmpty {
      list = try atlas.dictionaries.compactMap { entry in
        try entry.path.map {
          try SparseDictionary(
            contentsOf: URL(filePath: $0), name: entry.name, site: entry.reads.count == 1 ? entry.reads[0] : nil,
            backend: opened.backend)
        }
      }
    }
    let progress = Progress("recount", total: 0, unit: "checks")
    return try atlas.recount(tokens: tokens, model: opened.model, dictionaries: list) { try progress.advance(by: 1) }
  }
}
