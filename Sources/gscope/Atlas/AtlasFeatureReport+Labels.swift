import Atlas

extension AtlasFeatureReport {
  /// Labels with who made them and how they scored.
  func showLabels() throws {
    for explanation in feature.explanations {
      var parts = [explanation.author == explanation.method ? "" : "\(explanation.author), \(explanation.method)"]
      for score in explanation.scores {
        let judge = score.judge == explanation.author ? "" : " by \(score.judge)"
        let hard = score.hardAccuracy.map { " (hard \(Format.decimal($0, 2)))" } ?? ""
        let figure = score.undefined.map(LabelWording.words) ?? Format.decimal(score.balancedAccuracy, 2) + hard
        parts.append("\(score.test.rawValue)\(judge) \(figure)")
      }
      if explanation.scores.isEmpty, let reason = explanation.untested { parts.append(LabelWording.words(reason)) }
      try StandardOutput.line(
        "label      " + TextStyle.good.apply(LabelWording.text(explanation.text))
          + TextStyle.dim.apply("  [\(parts.joined(separator: "; "))]"))
    }
  }

  /// The label to show first, and all there are.
  var labels: [(key: String, value: JSONValue)] {
    [
      ("label", .optional(feature.explanations.first?.text)),
      ("label_score", .optional(feature.explanations.first?.score)),
      ("label_untested", .optional(feature.explanations.first?.untested.map(LabelWording.name))),
      ("explanations", .array(feature.explanations.map(Self.json))),
    ]
  }

  private static func json(_ explanation: AtlasExplanation) -> JSONValue {
    .object([
      ("text", .string(explanation.text)), ("author", .string(explanation.author)),
      ("method", .string(explanation.method)), ("created", .string(explanation.created)),
      ("prompt_sha256", .optional(explanation.promptSHA256)), ("scores", .array(explanation.scores.map(json))),
      ("untested", .optional(explanation.untested.map(LabelWording.name))),
    ])
  }

  private static func json(_ score: AtlasExplanation.Score) -> JSONValue {
    .object([
      ("test", .string(score.test.rawValue)), ("judge", .string(score.judge)),
      ("balanced_accuracy", .optional(score.balancedAccuracy)), ("hard_accuracy", .optional(score.hardAccuracy)),
      ("tp", .integer(score.truePositives)), ("fn", .integer(score.falseNegatives)),
      ("tn", .integer(score.trueNegatives)), ("fp", .integer(score.falsePositives)),
      ("refused", .integer(score.refused)), ("malformed", .integer(score.malformed)),
      ("timed_out", .integer(score.timedOut)), ("failed", .integer(score.failed)),
      ("reason", .optional(score.undefined.map(LabelWording.name))),
    ])
  }
}
