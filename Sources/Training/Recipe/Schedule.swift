import Foundation

/// A stretch of a run: a number of steps, or a share of all steps, which fits runs of any length.
public enum Stretch: Equatable, Sendable {
  case steps(Int)
  /// 0 … 1
  case share(Double)

  public static let none = Stretch.steps(0)

  /// Steps out of `total`.
  public func steps(of total: Int) -> Int {
    switch self {
    case .steps(let count): count
    case .share(let share): Int((share * Double(total)).rounded())
    }
  }
}

extension Stretch: Encodable {
  private enum CodingKeys: String, CodingKey { case steps, share }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .steps(let count): try container.encode(count, forKey: .steps)
    case .share(let share): try container.encode(share, forKey: .share)
    }
  }
}

/// The learning rate over a run: a cosine rise from `from`·peak to the peak, a constant stretch, a linear fall to
/// `to`·peak over the last `decay` steps.
public struct LearningRateSchedule: Equatable, Sendable {
  public let peak: Double
  public let warmup: Int
  public let from: Double
  public let decay: Int
  public let to: Double
  public let total: Int

  public init(peak: Double, warmup: Int, from: Double, decay: Int, to: Double, total: Int) {
    self.peak = peak
    self.warmup = warmup
    self.from = from
    self.decay = decay
    self.to = to
    self.total = total
  }

  /// The rate of step `step`, counted from 0; pure in the step, so a resumed run goes on with the same numbers.
  public func callAsFunction(_ step: Int) -> Double {
    var factor = 1.0
    if step < warmup {
      factor = from + (1 - from) * 0.5 * (1 - cos(.pi * Double(step) / Double(warmup)))
    }
    let left = total - step
    if left < decay { factor = min(factor, to + (1 - to) * Double(max(left, 0)) / Double(decay)) }
    return peak * factor
  }
}

/// A number that goes linearly from `start` to `end` over the first `steps` steps and stays there.
public struct LinearRamp: Equatable, Sendable {
  public let start: Double
  public let end: Double
  public let steps: Int

  public init(start: Double, end: Double, steps: Int) {
    self.start = start
    self.end = end
    self.steps = steps
  }

  public func callAsFunction(_ step: Int) -> Double {
    guard step < steps else { return end }
    return start + (end - start) * Double(step) / Double(steps)
  }
}
