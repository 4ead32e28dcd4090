import Dictionaries
import Foundation

/// A dictionary opened for a model, and what the suite it came from says of it.
struct OpenedDictionary {
  let dictionary: SparseDictionary
  let entry: Suite.Entry?

  /// What was measured when a dictionary was made.
  struct Card {
    /// The file that tells.
    let source: String
    let l0: Double?
    let fvu: Double?
    let deltaLoss: Double?

    init(_ source: String, _ figures: [String: Double]) {
      self.source = source
      l0 = figures["l0"]
      fvu = figures["fvu"]
      deltaLoss = figures["delta_loss"]
    }
  }

  /// From `training.json` beside the weights, else from the suite.
  func card() throws -> Card? {
    if let card = try dictionary.card() { return Card("training.json", card) }
    guard let entry, !entry.card.isEmpty else { return nil }
    return Card("suite.json", entry.card)
  }
}

/// Suites compared with one model: a sentence when a suite was made on other weights.
struct SuiteWeights {
  let model: OpenedModel
  private var hash: String?
  private var seen: Set<String> = []

  init(_ model: OpenedModel) { self.model = model }

  /// The warning for a suite; nil when its weights are the model's, when it does not tell, or when it was asked for
  /// before. The model's weights are hashed only for a suite that states a hash, and once.
  mutating func warning(_ suite: Suite) throws -> String? {
    guard let stated = suite.model.sha256, seen.insert(suite.folder.path).inserted else { return nil }
    let own = try hash ?? model.weightHash()
    hash = own
    guard own != stated else { return nil }
    return "suite '\(suite.folder.path)' was made on other weights of \(suite.model.name) (SHA-256 "
      + "\(stated.prefix(12))…, this model's is \(own.prefix(12))…): quantised, or another checkpoint"
  }
}
