import Foundation

/// Notices a training that has come apart though its losses are finite: a learning rate that is a little too high lets
/// FVU jump within a few steps, after which most features never fire again.
package struct DivergenceWatch: Codable, Equatable {
  /// Steps whose median counts, so that odd batches end nothing.
  private static let window = 11
  /// A median at which a run is known to have learned something.
  private static let learned = 0.5
  /// Predicting every activation by the batch's mean has an FVU of 1.
  private static let useless = 1.0
  /// Dead features and growth of FVU that together are a collapse, even where FVU stays below 1.
  private static let collapse = (dead: 0.95, growth: 2.0)

  private var recent: [Double] = []
  /// The lowest median so far.
  private var best: Double?

  package init() {}

  /// Notes a step and says why the run cannot be saved by going on, if so.
  package mutating func note(fvu: Double, dead: Double) -> String? {
    recent.append(fvu)
    if recent.count > Self.window { recent.removeFirst() }
    guard recent.count == Self.window else { return nil }
    let median = recent.sorted()[Self.window / 2]
    let best = min(best ?? median, median)
    self.best = best
    guard best < Self.learned else { return nil }
    let isCollapse = dead >= Self.collapse.dead && median >= Self.collapse.growth * best
    guard median >= Self.useless || isCollapse else { return nil }
    return "FVU \(Self.percent(median)) after \(Self.percent(best)), dead \(Self.percent(dead))"
  }

  private static func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }
}
