import Foundation

/// Notices a training that has come apart though its losses are finite: a learning rate that is a little too high lets
/// FVU jump within a few steps, after which most features never fire again.
package struct DivergenceWatch: Codable, Equatable {
  /// Steps whose median counts, so that odd batches end nothing.
  static let window = 11
  /// A reconstruction loss of so many times what a run may well begin with is lost at once.
  private static let excess = 100.0
  /// A median at which a run is known to have learned something.
  private static let learned = 0.5
  /// Predicting every activation by the batch's mean has an FVU of 1.
  private static let useless = 1.0
  /// Dead features and growth of FVU that together are a collapse, even where FVU stays below 1.
  private static let collapse = (dead: 0.95, growth: 2.0)

  private var recent: [Double] = []
  /// The lowest median so far.
  private var best: Double?
  /// The first step's reconstruction loss. Nil in checkpoints of versions that did not note it.
  private var first: Double?

  package init() {}

  /// Notes a step and says why the run cannot be saved by going on, if so.
  package mutating func note(fvu: Double, dead: Double) -> String? {
    recent.append(fvu)
    if recent.count > Self.window { recent.removeFirst() }
    guard recent.count == Self.window else { return nil }
    let median = median
    let best = min(best ?? median, median)
    self.best = best
    guard best < Self.learned else { return nil }
    let isCollapse = dead >= Self.collapse.dead && median >= Self.collapse.growth * best
    guard median >= Self.useless || isCollapse else { return nil }
    return "FVU \(Self.percent(median)) after \(Self.percent(best)), dead \(Self.percent(dead))"
  }

  /// Notes a step's reconstruction loss and tells how large it may be. A start may lose far more than predicting nothing
  /// does: where thresholds are near 0 and the encoder is the decoder's transpose, x̂ ≈ F/(2d)·x, F features of width d.
  /// - Parameter nothing: what predicting nothing loses.
  package mutating func limit(reconstruction: Double, nothing: Double) -> Double {
    if first == nil, reconstruction.isFinite { first = reconstruction }
    return Self.excess * max(nothing, first ?? 0)
  }

  /// Whether FVU is about as low as it has been: what a checkpoint should be that is gone back to. Dead features show
  /// only after `dead_after` tokens, growth within a few steps.
  package var isHealthy: Bool {
    guard let best, recent.count == Self.window else { return true }
    return median < Self.collapse.growth * best
  }

  private var median: Double { recent.sorted()[recent.count / 2] }

  private static func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }
}
