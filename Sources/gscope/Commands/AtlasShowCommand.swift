import ArgumentParser
import Atlas
import Foundation

/// `gscope atlas show`
struct AtlasShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show what an atlas knows of a feature.",
    discussion: """
      Without a feature it lists the dictionaries. The end of a dictionary's name will do where it is the only such.

      Example: gscope atlas show atlas.sqlite layer_9_width_2k_l0_60#17
      """)

  @OptionGroup var path: AtlasPath

  @Argument(
    help: ArgumentHelp("NAME#FEATURE, or NAME#LAYER/FEATURE for dictionaries of several layers.", valueName: "feature"))
  var feature: String?

  @Option(help: ArgumentHelp("Top examples to print; 0 for none. JSON has all.", valueName: "n")) var examples = 8
  @Flag(help: "Read an atlas that is not finished, too.") var partial = false
  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    if let feature, FeatureKey(feature) == nil {
      throw ValidationError("'\(feature)' is no feature; expected NAME#FEATURE or NAME#LAYER/FEATURE.")
    }
    if examples < 0 { throw ValidationError("--examples is \(examples); expected a number from 0.") }
  }

  func run() throws {
    let atlas = try Atlas(contentsOf: path.url, allowPartial: partial)
    if case .building(let tokens, let planned) = atlas.state {
      Diagnostics.message("not finished: \(Format.grouped(tokens)) of \(Format.count(planned, "token"))")
    }
    guard let key = feature.flatMap({ FeatureKey($0) }) else {
      let report = try AtlasReport(atlas)
      return try json ? StandardOutput.line(report.json) : report.show()
    }
    let report = try AtlasFeatureReport(atlas, key)
    if json { return try StandardOutput.line(report.json) }
    try report.show(examples: examples)
  }
}
