import Dictionaries
import Evaluation
import Foundation
import Plots
import Sites

/// The pictures of an evaluation.
struct EvaluationPlots {
  let report: EvaluationReport

  /// FVU against L0, a series for each kind of site; nil without figures.
  var frontier: Plot? {
    let series = bySiteKind { item -> [Plot.Point] in
      let figures = item.part.withoutOutliers ?? item.part.reconstruction
      guard let l0 = figures.l0.value, let fvu = figures.total.fvu.value else { return [] }
      return [Plot.Point(l0, fvu, interval: figures.total.fvu.interval, label: Self.place(item))]
    }
    guard !series.isEmpty else { return nil }
    return Plot(
      title: "Reconstruction against sparsity", xLabel: "L0, active features a token",
      yLabel: "FVU without outliers in length", series: series.map { .init($0.kind, .points, $0.points) })
  }

  /// Delta loss by layer, a series for each kind of site; nil where no loss was measured.
  var deltaLoss: Plot? {
    let series = bySiteKind { item in
      item.part.splices.compactMap { splice in
        guard let site = splice.sites.first, let rise = splice.deltaLoss.value else { return nil }
        return Plot.Point(Double(site.layer), rise, interval: splice.deltaLoss.interval, label: nil)
      }
    }
    guard series.contains(where: { !$0.points.isEmpty }) else { return nil }
    return Plot(
      title: "What splicing costs, by layer", xLabel: "layer", yLabel: "delta loss, nats a token",
      series: series.map { .init($0.kind, .linkedPoints, $0.points.sorted { $0.x < $1.x }) })
  }

  /// How many features have which density; one line for each of a few dictionaries.
  var densities: Plot? {
    let items = report.items
    guard (1...6).contains(items.count) else { return nil }
    return Plot(
      title: "How often features fire", xLabel: "log₁₀ of the share of tokens", yLabel: "share of features",
      series: items.map { item in
        .init(Self.short(item.name), items.count == 1 ? Self.barStyle : .line, Self.shares(item.part.density))
      })
  }

  /// The same for one dictionary.
  static func density(_ item: EvaluationReport.Item) -> Plot {
    Plot(
      title: "How often features fire", xLabel: "log₁₀ of the share of tokens", yLabel: "share of features",
      series: [.init(item.name, barStyle, shares(item.part.density))])
  }

  /// FVU and delta loss by position.
  static func positions(_ item: EvaluationReport.Item) -> [Plot] {
    func plot(_ label: String, _ points: [Plot.Point]) -> Plot? {
      guard points.count > 1 else { return nil }
      return Plot(
        title: "\(label) by position", xLabel: "log₂ of the position", yLabel: label,
        series: [.init(item.name, .linkedPoints, points)])
    }
    func point(_ positions: Range<Int>, _ figure: Estimate) -> Plot.Point? {
      figure.value.map { Plot.Point(log2(Double(max(positions.lowerBound, 1))), $0, interval: figure.interval) }
    }
    let fvu = item.part.reconstruction.positions.compactMap { part in
      point(part.positions, part.figures.fvu)
    }
    let rise = (item.splice?.positions ?? []).compactMap { point($0.positions, $0.deltaLoss) }
    return [plot("FVU", fvu), plot("delta loss", rise)].compactMap { $0 }
  }

  private static let barStyle = Plot.Style.bars(width: 0.25)

  private static func shares(_ density: FeatureDensity) -> [Plot.Point] {
    density.histogram.map { bin in
      Plot.Point(
        (bin.logDensity.lowerBound + bin.logDensity.upperBound) / 2,
        Double(bin.features) / Double(max(density.features, 1)))
    }
  }

  /// Points of all dictionaries, gathered by the kind of site that they write.
  private func bySiteKind(
    _ points: (EvaluationReport.Item) -> [Plot.Point]
  ) -> [(kind: String, points: [Plot.Point])] {
    var list: [(kind: String, points: [Plot.Point])] = []
    for item in report.items {
      guard let site = item.shape.writes.first else { continue }
      let kind = item.shape.isMultiLayer ? item.shape.kind.rawValue : site.kind.rawValue
      if let place = list.firstIndex(where: { $0.kind == kind }) {
        list[place].points += points(item)
      } else {
        list.append((kind, points(item)))
      }
    }
    return list.filter { !$0.points.isEmpty }
  }

  /// What stands beside a point: its layers.
  private static func place(_ item: EvaluationReport.Item) -> String {
    item.shape.writes.map { "\($0.layer)" }.joined(separator: ",")
  }

  private static func short(_ name: String) -> String { name.count > 24 ? "…" + name.suffix(23) : name }
}

extension Estimate {
  /// Its ends, for a plot.
  var interval: ClosedRange<Double>? {
    guard let low, let high, low <= high else { return nil }
    return low...high
  }
}
