import Evaluation
import Foundation
import TestSupport
import Tensors
import Testing

@Suite struct BalancedLogisticTests {
  /// scikit-learn's, run to a tolerance of 1e-12, on three features for each of 26 letters.
  @Test func equalsScikitLearn() throws {
    let fixture = try AbsorptionFixture("splits")
    let rows = LetterRows.sparse(try fixture.code("train."), width: 60)
    let labels = try fixture.integers("train.labels")
    let chosen = try fixture.integers("chosen")
    let (weights, biases) = (try fixture.doubles("exact.weight"), try fixture.doubles("exact.bias"))
    for letter in 0..<26 {
      let columns = rows.columns(Array(chosen[letter * 10..<letter * 10 + 3]))
      let found = try #require(try BalancedLogistic.fit(columns, isPositive: labels.map { $0 == letter }))
      #expect(largestDifference(found.weights, Array(weights[letter * 3..<letter * 3 + 3])) < 1e-4, "\(letter)")
      #expect(abs(found.intercept - biases[letter]) < 1e-4, "\(letter)")
    }
  }

  /// The gradient written out by hand vanishes, on columns of very unequal scale, some of them equal or constant.
  @Test(arguments: 0..<24) func isAMinimum(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let (n, k) = (random.int(2...97), random.int(0...6))
    var columns = (0..<k).map { column in random.floats(n).map { Double($0) * pow(10, Double(column % 4)) } }
    if k > 2 { columns[2] = columns[0] }
    if k > 3 { columns[3] = columns[3].map { _ in 2 } }
    let isPositive = (0..<n).map { $0 == 0 || $0 > 1 && random.int(0...3) == 0 }
    let c = [0.01, 1, 50][random.int(0...2)]
    let found = try #require(try BalancedLogistic.fit(columns, isPositive: isPositive, c: c))
    let scores = found.scores(columns, count: n)
    let positives = Double(isPositive.count { $0 })
    let slopes = zip(scores, isPositive).map { z, positive in
      let share = c * Double(n) / (2 * (positive ? positives : Double(n) - positives))
      return share * (1 / (1 + exp(-z)) - (positive ? 1 : 0))
    }
    #expect(abs(slopes.reduce(0, +)) < 1e-6)
    for (column, weight) in zip(columns, found.weights) {
      let size = column.reduce(1) { max($0, abs($1)) }
      #expect(abs(weight + zip(column, slopes).reduce(0) { $0 + $1.0 * $1.1 }) < 1e-6 * size)
    }
  }

  @Test func oneClassHasNone() throws {
    #expect(try BalancedLogistic.fit([[1, 2]], isPositive: [true, true]) == nil)
    #expect(try BalancedLogistic.fit([[]], isPositive: []) == nil)
    #expect(throws: EvaluationError.self) { try BalancedLogistic.fit([[1]], isPositive: [true, false]) }
    #expect(throws: EvaluationError.self) { try BalancedLogistic.fit([[1, .nan]], isPositive: [true, false]) }
  }

  @Test func scoresAreCounted() throws {
    let found = DetectionScores([2, -1, 0, 3, 0.5], isPositive: [true, true, false, false, true])
    #expect(found.positives == 3 && found.f1 == 4.0 / 6 && found.precision == 2.0 / 3 && found.recall == 2.0 / 3)
    // Of 6 pairs: 2 above 0; 0.5 above 0. 3 is above all, -1 below all.
    #expect(found.area == 2.0 / 6)
    #expect(DetectionScores([1, 1, 1], isPositive: [true, false, false]).area == 0.5)
    let none = DetectionScores([-1, -2], isPositive: [false, false])
    #expect(none.f1 == nil && none.precision == nil && none.recall == nil && none.area == nil)
    #expect(DetectionScores([-1, -2], isPositive: [true, false]).f1 == 0)
  }
}
