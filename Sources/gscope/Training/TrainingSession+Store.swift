import Activations
import Evaluation
import Foundation
import Training

extension TrainingSession {
  /// The store that `--store` names, nil without one. What the model and the recipes say about how activations are made
  /// has no effect on a store, so it must be what the store was made with.
  /// - Parameter weights: the model's hash.
  /// - Throws: `CommandError.input` for a store of another model, `RecipeError` for a key that the store contradicts,
  ///   `ActivationError`.
  func openStore(weights: String) throws -> ActivationStore? {
    // Recipes that train end to end are refused for a reason of their own.
    guard let path = options.store, items[0].recipe.endToEnd == nil else { return nil }
    let store = try ActivationStore(contentsOf: URL(filePath: path))
    let settings = store.settings
    guard settings.modelSHA256 == weights else {
      throw CommandError.input(
        source: "--store \(path)",
        reason: "holds activations of \(settings.model) (SHA-256 \(settings.modelSHA256.prefix(12))…), but --model is "
          + "\(opened.name) (SHA-256 \(weights.prefix(12))…); give the model that they were harvested from")
    }
    try check(settings.harvest, path)
    return store
  }

  private func check(_ harvest: HarvestOptions, _ path: String) throws {
    let recipe = items[0].recipe
    func failure(_ key: String, _ reason: String) -> RecipeError {
      .value(path: recipeURL.path, key: key, reason: reason)
    }
    if let factor = recipe.normFilter, let site = try outliers().site,
      harvest.normFilter != .init(site: site, factor: factor)
    {
      let found =
        harvest.normFilter.map { "was harvested with \(Self.text($0.factor)) at \($0.site)" } ?? "has all tokens"
      throw failure(
        "norm_filter",
        "is \(Self.text(factor)), which would be measured at \(site), but the store \(path) \(found): leave the key out to "
          + "train on what is stored, or harvest with --norm-filter \(Self.text(factor)) --norm-site \(site)")
    }
    // It also cuts the held-out text, which would be measured in sequences of another length.
    guard recipe.context == harvest.packing.context else {
      throw failure(
        "context",
        "is \(recipe.context), but the store \(path) was harvested in sequences of \(harvest.packing.context): "
          + "expected the same")
    }
  }

  private static func text(_ number: Double) -> String { Int(exactly: number).map(String.init) ?? "\(number)" }
}
