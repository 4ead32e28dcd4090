import Foundation
import TestSupport
import Testing
import Training

@Suite struct ScheduleTests {
  @Test func theRateRisesAsACosineStaysAndFalls() {
    let rate = LearningRateSchedule(peak: 2, warmup: 100, from: 0.1, decay: 50, to: 0.2, total: 1000)
    #expect(rate(0) == 0.2)
    func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-12 }
    #expect(isClose(rate(50), 1.1))
    let quarter: Double = 0.1 + 0.45 * (1 - 0.5.squareRoot())
    #expect(isClose(rate(25), 2 * quarter))
    for step in 100...950 { #expect(rate(step) == 2) }
    #expect(isClose(rate(975), 1.2))
    #expect(isClose(rate(1000), 0.4))
    for step in 0..<100 { #expect(rate(step) < rate(step + 1)) }
    for step in 950..<1000 { #expect(rate(step) > rate(step + 1)) }
  }

  @Test func withoutStretchesTheRateIsConstant() {
    let rate = LearningRateSchedule(peak: 1, warmup: 0, from: 0.1, decay: 0, to: 0, total: 3)
    for step in 0..<5 { #expect(rate(step) == 1) }
  }

  @Test func rampsAreLinear() {
    let ramp = LinearRamp(start: 300, end: 60, steps: 240)
    #expect(ramp(0) == 300 && ramp(120) == 180 && ramp(240) == 60 && ramp(10_000) == 60)
    #expect(LinearRamp(start: 0, end: 3, steps: 0)(0) == 3)
  }

  @Test(arguments: 0..<20) func sharesFollowTheLength(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let total = random.int(1...100_000)
    let share = Double(abs(random.float()))
    let steps = Stretch.share(share).steps(of: total)
    #expect(abs(Double(steps) - share * Double(total)) <= 0.5)
    #expect(Stretch.steps(7).steps(of: total) == 7)
  }
}
