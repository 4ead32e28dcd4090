import Dictionaries
import Evaluation
import Sites

/// The report as a page.
struct EvaluationPage {
  let report: EvaluationReport

  var html: String {
    var page = Page(title: "Dictionaries of \(report.modelName)")
    let counted = report.result.parts.first?.reconstruction.tokens ?? 0
    page.paragraph(
      "Measured on \(report.corpus.joined(separator: ", ")): \(Format.count(counted, "token")) in "
        + "\(Format.count(report.result.sequences, "sequence")) of at most \(report.context), special tokens left out. "
        + "Brackets hold 95 % intervals over sequences; docs/metrics.md of gemmascope defines each figure.")
    if let loss = report.result.loss.value {
      page.paragraph(
        "Losses are over the first \(Format.count(report.result.lossTokens, "token")); the unchanged model's is "
          + "\(Format.decimal(loss, 4)) nats a token.")
    }
    page.table(Self.titles, summary)
    if let sharedWrites = report.sharedWrites { page.paragraph(sharedWrites) }
    let plots = EvaluationPlots(report: report)
    for plot in [plots.frontier, plots.deltaLoss, plots.densities].compactMap({ $0 }) { page.plot(plot) }
    for task in report.tasks { task.add(to: &page) }
    if !report.unfinished.isEmpty {
      page.paragraph("Not finished: \(report.unfinished.map(\.rawValue).joined(separator: ", ")).")
    }
    page.heading("Each dictionary")
    for item in report.items { page.details(item.name) { details(of: item, &$0) } }
    return page.html
  }

  private static let titles = [
    "dictionary", "L0", "FVU", "FVU without outliers", "dead", "delta loss", "KL", "recovered of mean-ablated",
    "mean-ablated", "zero-ablated",
  ]

  private var summary: [[String]] {
    var rows = report.items.map { item in
      let part = item.part
      return [
        item.name, Format.decimal(part.reconstruction.l0.value, 1),
        Format.percent(part.reconstruction.total.fvu.value), Format.percent(part.withoutOutliers?.total.fvu.value),
        Format.percent(part.density.deadShare),
      ] + Self.cells(item.splice)
    }
    if let set = report.result.set { rows.append(["all at once", "", "", "", ""] + Self.cells(set)) }
    return rows
  }

  private static func cells(_ splice: SpliceFigures?) -> [String] {
    guard let splice else { return ["-", "-", "-", "-", "-"] }
    func against(_ baseline: LossRecovered.Baseline) -> LossRecovered? {
      splice.recovered.first { $0.baseline == baseline }
    }
    return [
      bracketed(splice.deltaLoss, signed: true), Format.decimal(splice.divergence.value, 3),
      Format.percent(against(.mean)?.value.value), Format.signed(against(.mean)?.baselineDeltaLoss.value, 3),
      Format.signed(against(.zero)?.baselineDeltaLoss.value, 3),
    ]
  }

  /// `+0.53 [0.49, 0.57]`.
  private static func bracketed(_ estimate: Estimate, signed: Bool = false) -> String {
    let value = signed ? Format.signed(estimate.value, 4) : Format.decimal(estimate.value, 4)
    guard let low = estimate.low, let high = estimate.high else { return value }
    return "\(value) [\(Format.decimal(low, 4)), \(Format.decimal(high, 4))]"
  }

  private func details(of item: EvaluationReport.Item, _ page: inout Page) {
    let part = item.part
    page.paragraph("\(item.shape)")
    page.table(
      ["", "L0", "MSE", "FVU", "cosine", "reconstruction bias", "norm ratio"],
      [Self.row("all tokens", part.reconstruction)]
        + (part.withoutOutliers.map {
          [Self.row("without those \(Format.short(report.normFilter)) times longer than the median", $0)]
        } ?? []))
    if part.reconstruction.sites.count > 1 { sites(of: item, &page) }
    if part.splices.count == 1 {
      page.table(["site"] + Self.titles.suffix(5), part.splices.map { ["\($0.sites[0])"] + Self.cells($0) })
    }
    page.plot(EvaluationPlots.density(item))
    for plot in EvaluationPlots.positions(item) { page.plot(plot) }
    frequent(part.density, &page)
    otherTools(of: item, &page)
  }

  private static func row(_ name: String, _ metrics: ReconstructionMetrics) -> [String] {
    let total = metrics.total
    return [
      name, bracketed(metrics.l0), Format.short(total.mse.value ?? .nan), bracketed(total.fvu), bracketed(total.cosine),
      bracketed(total.reconstructionBias), bracketed(total.normRatio),
    ]
  }

  private func sites(of item: EvaluationReport.Item, _ page: inout Page) {
    var rows: [[String]] = []
    for (index, site) in item.part.reconstruction.sites.enumerated() {
      let splice = item.part.splices.indices.contains(index) ? item.part.splices[index] : nil
      rows.append(["\(site.site)", Self.bracketed(site.figures.fvu)] + Self.cells(splice))
    }
    if let whole = item.part.wholeSplice { rows.append(["all at once", ""] + Self.cells(whole)) }
    page.table(["site", "FVU"] + Self.titles.suffix(5), rows)
  }

  private func frequent(_ density: FeatureDensity, _ page: inout Page) {
    let rows = [0.01, 0.1].compactMap { limit in
      density.frequent(above: limit).map {
        ["above \(Format.short(limit * 100)) % of tokens", Format.percent($0.features), Format.percent($0.activity)]
      }
    }
    page.table(["features that fire", "share of features", "share of all activity"], rows)
  }

  private func otherTools(of item: EvaluationReport.Item, _ page: inout Page) {
    func number(_ value: Double?) -> String { value.map { Format.decimal($0, 4) } ?? "-" }
    page.paragraph("By the formulas of other tools, every sequence a batch:")
    page.table(
      [
        "site", "SAELens: explained_variance_legacy", "SAEBench: explained_variance",
        "dictionary_learning: frac_variance_explained", "ours: explained variance",
      ],
      zip(item.part.reconstruction.sites, item.part.otherTools).map { site, others in
        [
          "\(site.site)", number(others.legacyExplainedVariance), number(others.saeBenchExplainedVariance),
          number(others.fractionVarianceExplained), number(site.figures.explainedVariance.value),
        ]
      })
  }
}
