import ArgumentParser
import Dictionaries
import Foundation
import Gemma

/// Changes to the activations while the model runs.
struct InterventionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("A JSON file of interventions (docs/cli.md).", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var interventions: String?

  @Option(
    help: ArgumentHelp(
      "Adds STRENGTH times a feature's decoder row: 40 in activation units, 2x of the feature's maximum, 0.25r of the "
        + "residual norm. NAME#LAYER/FEATURE for dictionaries of several layers. Repeatable.",
      valueName: "name#feature=strength"))
  var steer: [String] = []

  func validate() throws {
    do {
      _ = try InterventionList(steering: steer)
    } catch let error as GemmaError {
      throw ValidationError("--steer: \(error).")
    }
  }

  var isEmpty: Bool { interventions == nil && steer.isEmpty }

  /// What was asked for, checked against the model; nil when nothing was.
  func plan(_ dictionaries: [SparseDictionary], opened: OpenedModel) throws -> InterventionPlan? {
    if isEmpty { return nil }
    let list = try interventions.map { try InterventionList(contentsOf: URL(filePath: $0)) } ?? InterventionList()
    return try InterventionPlan(
      list.appending(InterventionList(steering: steer)), dictionaries: dictionaries, model: opened.model,
      specialTokens: opened.specialTokens)
  }
}
