import Evaluation
import Foundation
import TestSupport
import Testing

@Suite struct EstimateTests {
  /// Against the tables of Abramowitz & Stegun (26.10) and scipy 1.16 `t.ppf(0.975, df)`.
  @Test(arguments: [
    (1, 12.706204736174705), (2, 4.302652729749464), (5, 2.5705818356363146), (9, 2.2621571628540997),
    (25, 2.059538552753294), (120, 1.9799304050824413), (5000, 1.9604385517065073),
  ])
  func quantilesOfStudent(degrees: Int, expected: Double) {
    #expect(abs(StudentT.quantile975(degrees: degrees) - expected) < 1e-9)
  }

  @Test func ratiosOfSums() throws {
    let estimate = Estimate([1, 5, 3], per: [2, 4, 2], offset: 10)
    #expect(estimate.value == 9.0 / 8 + 10 && estimate.groups == 3)
    // Residuals aₛ − (9/8) bₛ: −1.25, 0.5, 0.75.
    let error = ((1.25 * 1.25 + 0.25 + 0.5625) * 3 / 2).squareRoot() / 8
    let low = try #require(estimate.low)
    #expect(abs(low - (9.0 / 8 + 10 - 4.302652729749464 * error)) < 1e-9)
    #expect(abs(low + (estimate.high ?? .nan) - 2 * (9.0 / 8 + 10)) < 1e-12)
  }

  @Test func whatTellsNothing() {
    #expect(Estimate([], per: []).value == nil)
    #expect(Estimate([1, 2], per: [0, 0]) == Estimate([3, 4], per: [0, 0]))
    #expect(Estimate([.nan], per: [1]).value == nil)
    let one = Estimate([1], per: [4])
    #expect(one.value == 0.25 && one.low == nil && one.high == nil && one.groups == 1)
    #expect(Estimate([1, 1], per: [2, 2]).low == 0.5)
  }

  /// 95 % intervals of a ratio hold the true one in about 95 of 100 draws.
  @Test func coverage() {
    var random = SeededRandom(seed: 4)
    var held = 0
    for _ in 0..<2000 {
      var (a, b) = ([Double](), [Double]())
      for _ in 0..<40 {
        let size = Double(random.int(5...20))
        // Mean 0.3 a token, with a part that all tokens of a group share.
        a.append(size * (0.3 + 0.2 * Double(random.float())) + 0.5 * Double(random.float()))
        b.append(size)
      }
      let estimate = Estimate(a, per: b)
      if let low = estimate.low, let high = estimate.high, low <= 0.3, 0.3 <= high { held += 1 }
    }
    #expect(1870...1930 ~= held, "\(held) of 2000")
  }
}
