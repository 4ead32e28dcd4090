import Dictionaries
import Sites

/// What was measured of a dictionary on held-out text; `training.json` and `suite.json` carry it.
struct MeasuredCard {
  struct SiteFigures {
    let site: Site
    let fvu: Double?
    /// Mean cross-entropy, nats a token, with the site's activations replaced at every token that is not special.
    let splicedLoss: Double?
    /// Mean KL of the model's predictions to those with the replacement, nats a token.
    let divergence: Double?
    let meanAblatedLoss: Double?
    let zeroAblatedLoss: Double?
  }

  let statistics: DictionaryStatistics
  /// Without outliers in norm, which at many sites are nearly all of the variance.
  let filtered: DictionaryStatistics
  /// Features that fired on none of the held-out tokens, a share of all.
  let dead: Double
  /// The same over the last window of training.
  var deadInTraining: Double?
  /// Tokens over which losses were measured.
  let lossTokens: Int
  let loss: Double?
  let sites: [SiteFigures]

  /// Means over the written sites, each replaced alone.
  private func mean(_ value: (SiteFigures) -> Double?) -> Double? {
    let known = sites.compactMap(value)
    return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
  }
  var splicedLoss: Double? { mean(\.splicedLoss) }
  var divergence: Double? { mean(\.divergence) }
  var meanAblatedLoss: Double? { mean(\.meanAblatedLoss) }
  var zeroAblatedLoss: Double? { mean(\.zeroAblatedLoss) }
  /// Cross-entropy with reconstructions in place minus without.
  var deltaLoss: Double? { zip(splicedLoss, loss).map { $0 - $1 } }

  private func zip(_ a: Double?, _ b: Double?) -> (Double, Double)? {
    guard let a, let b else { return nil }
    return (a, b)
  }

  /// The numbers by name.
  var members: [(key: String, value: JSONValue)] {
    var members: [(key: String, value: JSONValue)] = [
      ("tokens", .integer(statistics.tokens)), ("l0", .optional(statistics.l0)), ("fvu", .optional(statistics.fvu)),
      ("delta_loss", .optional(deltaLoss)), ("dead", .double(dead)), ("dead_in_training", .optional(deadInTraining)),
      ("loss_tokens", .integer(lossTokens)), ("loss", .optional(loss)), ("loss_spliced", .optional(splicedLoss)),
      ("loss_mean_ablated", .optional(meanAblatedLoss)), ("loss_zero_ablated", .optional(zeroAblatedLoss)),
      ("kl", .optional(divergence)), ("l0_filtered", .optional(filtered.l0)), ("fvu_filtered", .optional(filtered.fvu)),
    ]
    if sites.count > 1 {
      let list = sites.map { site -> JSONValue in
        [
          "site": .string("\(site.site)"), "fvu": .optional(site.fvu), "loss_spliced": .optional(site.splicedLoss),
          "loss_mean_ablated": .optional(site.meanAblatedLoss), "loss_zero_ablated": .optional(site.zeroAblatedLoss),
          "kl": .optional(site.divergence),
        ]
      }
      members.append(("sites", .array(list)))
    }
    return members
  }

  var json: JSONValue { .object(members) }
}
