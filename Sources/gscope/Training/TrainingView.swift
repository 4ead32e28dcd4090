import Foundation
import Training

/// What people see of a training run on the standard error: one line that changes on a terminal, a plain line now and
/// then where it is piped.
final class TrainingView {
  /// When the first step was done: reading the model and the first window says nothing of the rate.
  private var start = ContinuousClock.now
  private var shown: ContinuousClock.Instant?
  private var firstStep: Int?

  /// Seconds between plain lines.
  private static let plainEvery = 30.0

  /// Says what else is going on, on a terminal.
  func waiting(_ text: String) {
    guard Terminal.isError, isDue(every: 0.2) else { return }
    Progress.show(text)
  }

  func show(_ progress: TrainingProgress) {
    let isLast = progress.stepsDone == progress.stepsInAll
    if firstStep == nil {
      firstStep = progress.stepsDone
      start = .now
    }
    let first = firstStep ?? progress.stepsDone
    guard isDue(every: Terminal.isError ? 0.2 : Self.plainEvery) || isLast else { return }
    let text = line(progress, first: first)
    if Terminal.isError, !isLast { Progress.show(text) } else { Diagnostics.message(text) }
  }

  private func isDue(every seconds: Double) -> Bool {
    let now = ContinuousClock.now
    if let shown, (now - shown) / .seconds(1) < seconds { return false }
    shown = now
    return true
  }

  private func line(_ progress: TrainingProgress, first: Int) -> String {
    let elapsed = (ContinuousClock.now - start) / .seconds(1)
    let done = Double(progress.stepsDone - first)
    let left = done > 0 ? elapsed / done * Double(progress.stepsInAll - progress.stepsDone) : .infinity
    var parts = [
      "\(progress.name): step \(Format.grouped(progress.step))/\(Format.grouped(progress.steps))",
      "loss \(Format.decimal(progress.loss, 4))", "FVU \(Format.percent(progress.fvu))",
      "L0 \(Format.decimal(progress.l0, 1))", "dead \(Format.percent(progress.dead))",
      "\(Format.grouped(Int(progress.tokensPerSecond))) tokens/s",
    ]
    if let kl = progress.kl { parts.insert("KL \(Format.decimal(kl, 4))", at: 2) }
    if progress.jobs > 1 { parts.append("dictionary \(progress.job + 1)/\(progress.jobs)") }
    if progress.stepsDone < progress.stepsInAll, left.isFinite { parts.append("\(Format.duration(left)) left") }
    return parts.joined(separator: ", ")
  }
}
