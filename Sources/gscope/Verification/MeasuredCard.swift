import Dictionaries
import Evaluation
import Gemma
import Sites

/// What was measured of a dictionary on held-out text; `training.json` and `suite.json` carry it.
struct MeasuredCard {
  let figures: EvaluationResult.Part
  /// The unchanged model's loss, nats a token.
  let loss: Double?
  /// Tokens over which losses were measured.
  let lossTokens: Int
  /// Features that fired on none of the last window of training, a share of all.
  var deadInTraining: Double?

  /// The cards of dictionaries, all on the same held-out sequences.
  /// - Parameters:
  ///   - lossTokens: about how many tokens losses are measured on; 0 for none.
  ///   - outliers: tokens that are left out of the second set of figures.
  static func measure(
    _ dictionaries: [SparseDictionary], on sequences: [[Int32]], opened: OpenedModel, lossTokens: Int,
    outliers: OutlierRule
  ) throws -> [MeasuredCard] {
    let evaluation = DictionaryEvaluation(
      opened.model, dictionaries: dictionaries, specialTokens: opened.specialTokens,
      options: .init(lossTokens: lossTokens, splices: lossTokens > 0 ? .each : .none, outliers: outliers))
    let progress = Progress("measure", total: evaluation.work(sequences), unit: "tokens")
    let result = try evaluation.run(sequences, check: Interruption.check) { try progress.advance(by: Double($0)) }
    return result.parts.map {
      MeasuredCard(figures: $0, loss: result.loss.value, lossTokens: result.lossTokens)
    }
  }

  var l0: Double? { figures.reconstruction.l0.value }
  var fvu: Double? { figures.reconstruction.total.fvu.value }
  /// Features that fired on none of the held-out tokens, a share of all.
  var dead: Double? { figures.density.deadShare }

  /// Means over the written sites, each replaced alone.
  private func mean(_ value: (SpliceFigures) -> Estimate) -> Double? {
    let known = figures.splices.compactMap { value($0).value }
    return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
  }
  var splicedLoss: Double? { mean(\.loss) }
  var divergence: Double? { mean(\.divergence) }
  var meanAblatedLoss: Double? { mean(\.meanAblatedLoss) }
  var zeroAblatedLoss: Double? { mean(\.zeroAblatedLoss) }
  /// Cross-entropy with reconstructions in place minus without.
  var deltaLoss: Double? { mean(\.deltaLoss) }

  /// The numbers by name.
  var members: [(key: String, value: JSONValue)] {
    let filtered = figures.withoutOutliers
    var members: [(key: String, value: JSONValue)] = [
      ("tokens", .integer(figures.reconstruction.tokens)), ("l0", .optional(l0)), ("fvu", .optional(fvu)),
      ("delta_loss", .optional(deltaLoss)), ("dead", .optional(dead)), ("dead_in_training", .optional(deadInTraining)),
      ("loss_tokens", .integer(lossTokens)), ("loss", .optional(loss)), ("loss_spliced", .optional(splicedLoss)),
      ("loss_mean_ablated", .optional(meanAblatedLoss)), ("loss_zero_ablated", .optional(zeroAblatedLoss)),
      ("kl", .optional(divergence)), ("l0_filtered", .optional(filtered?.l0.value)),
      ("fvu_filtered", .optional(filtered?.total.fvu.value)),
    ]
    guard figures.reconstruction.sites.count > 1 else { return members }
    if let whole = figures.wholeSplice { members.append(("delta_loss_at_once", .optional(whole.deltaLoss.value))) }
    let list = figures.reconstruction.sites.enumerated().map { index, site -> JSONValue in
      let splice = figures.splices.indices.contains(index) ? figures.splices[index] : nil
      return [
        "site": .string("\(site.site)"), "fvu": .optional(site.figures.fvu.value),
        "loss_spliced": .optional(splice?.loss.value),
        "loss_mean_ablated": .optional(splice?.meanAblatedLoss.value),
        "loss_zero_ablated": .optional(splice?.zeroAblatedLoss.value), "kl": .optional(splice?.divergence.value),
      ]
    }
    members.append(("sites", .array(list)))
    return members
  }

  var json: JSONValue { .object(members) }
}
