import Dictionaries
import Evaluation
import Sites

extension EvaluationReport {
  var json: JSONValue {
    .document([
      ("model", .string(modelName)), ("corpus", .array(corpus.map { .string($0) })), ("context", .integer(context)),
      ("tokens", .integer(result.tokens)), ("sequences", .integer(result.sequences)),
      ("loss_tokens", .integer(result.lossTokens)), ("loss_sequences", .integer(result.lossSequences)),
      ("norm_filter", .double(normFilter)), ("loss", .estimate(result.loss)),
      ("dictionaries", .array(items.map(\.json))),
      (
        "set",
        result.set.map { .object($0.members + [("shared_writes", .array(result.sharedWrites.map(\.json)))]) } ?? nil
      ),
      ("tasks", .object(tasks.map { ($0.task.rawValue, $0.json) })),
      ("unfinished_tasks", .array(unfinished.map { .string($0.rawValue) })),
    ])
  }
}

extension JSONValue {
  /// A figure with its interval.
  static func estimate(_ estimate: Estimate?) -> JSONValue {
    guard let estimate else { return nil }
    return [
      "value": .optional(estimate.value), "low": .optional(estimate.low), "high": .optional(estimate.high),
      "n": .integer(estimate.groups),
    ]
  }
}

extension EvaluationReport.Item {
  var json: JSONValue {
    let reconstruction = part.reconstruction
    return [
      "name": .string(name), "kind": .string(shape.kind.rawValue),
      "reads": .array(shape.reads.map { .string("\($0)") }), "writes": .array(shape.writes.map { .string("\($0)") }),
      "width": .integer(shape.totalWidth), "tokens": .integer(reconstruction.tokens),
      "metrics": .object([("l0", .estimate(reconstruction.l0))] + reconstruction.total.members),
      "l0_by_layer": .array(reconstruction.l0ByRead.map { .estimate($0) }),
      "without_outliers": part.withoutOutliers.map {
        .object([("tokens", .integer($0.tokens)), ("l0", .estimate($0.l0))] + $0.total.members)
      } ?? nil,
      "density": part.density.json, "splice": splice?.json ?? nil,
      "sites": .array(
        reconstruction.sites.enumerated().map { index, site in
          [
            "site": .string("\(site.site)"), "metrics": .object(site.figures.members),
            "splice": part.splices.indices.contains(index) ? part.splices[index].json : nil,
            "others": part.otherTools[index].json,
          ]
        }),
      "positions": .array(reconstruction.positions.map(\.json)),
    ]
  }
}

extension ReconstructionMetrics.Figures {
  var members: [(key: String, value: JSONValue)] {
    [
      ("mse", .estimate(mse)), ("fvu", .estimate(fvu)), ("explained_variance", .estimate(explainedVariance)),
      ("cosine", .estimate(cosine)), ("reconstruction_bias", .estimate(reconstructionBias)),
      ("norm_ratio", .estimate(normRatio)),
    ]
  }
}

extension ReconstructionMetrics.Position {
  fileprivate var json: JSONValue {
    [
      "from": .integer(positions.lowerBound), "to": .integer(positions.upperBound - 1), "tokens": .integer(tokens),
      "l0": .optional(l0.value), "fvu": .optional(figures.fvu.value), "mse": .optional(figures.mse.value),
      "metrics": .object([("l0", .estimate(l0))] + figures.members),
    ]
  }
}

extension FeatureDensity {
  fileprivate var json: JSONValue {
    func share(_ limit: Double) -> JSONValue {
      guard let frequent = frequent(above: limit) else { return nil }
      return ["features": .double(frequent.features), "activity": .double(frequent.activity)]
    }
    return [
      "features": .integer(features), "dead": .integer(dead), "dead_share": .optional(deadShare),
      "over_1_percent": share(0.01), "over_10_percent": share(0.1),
      "histogram": .array(
        histogram.map {
          [
            "log10_from": .double($0.logDensity.lowerBound), "log10_to": .double($0.logDensity.upperBound),
            "features": .integer($0.features),
          ]
        }),
    ]
  }
}

extension SpliceFigures {
  fileprivate var json: JSONValue { .object(members) }

  fileprivate var members: [(key: String, value: JSONValue)] {
    [
      ("sites", .array(sites.map { .string("\($0)") })), ("loss", .estimate(loss)),
      ("mean_ablated_loss", .estimate(meanAblatedLoss)), ("zero_ablated_loss", .estimate(zeroAblatedLoss)),
      ("delta_loss", .estimate(deltaLoss)), ("kl", .estimate(divergence)),
      ("recovered", .array(recovered.map(\.json))), ("positions", .array(positions.map(\.json))),
    ]
  }
}

extension LossRecovered {
  fileprivate var json: JSONValue {
    [
      "baseline": .string(baseline.rawValue), "value": .estimate(value), "delta_loss": .estimate(deltaLoss),
      "baseline_delta_loss": .estimate(baselineDeltaLoss),
    ]
  }
}

extension SpliceFigures.Position {
  fileprivate var json: JSONValue {
    [
      "from": .integer(positions.lowerBound), "to": .integer(positions.upperBound - 1),
      "predictions": .integer(predictions), "delta_loss": .optional(deltaLoss.value),
      "metrics": ["delta_loss": .estimate(deltaLoss), "kl": .estimate(divergence)],
    ]
  }
}

extension SharedWrite {
  fileprivate var json: JSONValue {
    ["site": .string("\(site)"), "dictionaries": .array(dictionaries.map { .string($0) })]
  }
}

extension OtherToolsMetrics {
  fileprivate var json: JSONValue {
    [
      "batches": .integer(batches), "batch_tokens": .optional(tokensPerBatch),
      "saelens": ["explained_variance_legacy": .optional(legacyExplainedVariance)],
      "saebench": [
        "explained_variance": .optional(saeBenchExplainedVariance), "mse": .optional(saeBenchMSE),
        "relative_reconstruction_bias": .optional(reconstructionBiasOfBatches),
      ],
      "dictionary_learning": [
        "frac_variance_explained": .optional(fractionVarianceExplained), "l2_loss": .optional(meanErrorLength),
      ],
    ]
  }
}
