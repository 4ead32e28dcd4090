import Evaluation
import Foundation
import TestSupport
import Testing

@Suite struct LogisticRegressionTests {
  struct Sample {
    let rows: ProbeRows
    let labels: [Bool]

    init(seed: UInt64, count: Int, columns: Int) throws {
      var random = SeededRandom(seed: seed)
      let labels = (0..<count).map { $0 < 2 ? $0 == 0 : random.int(0...1) == 1 }
      let values = (0..<count).flatMap { row in
        (0..<columns).map { column -> Double in
          // Units of every size, a constant column, and some that tell the label.
          let scale = pow(10, Double(column % 7) - 3)
          if column % 11 == 10 { return 4096 }
          let told = column % 3 == 0 && labels[row] ? 1.5 : 0
          return scale * (Double(random.float()) + told + 50)
        }
      }
      (rows, self.labels) = (try ProbeRows(values, count: count, columns: columns), labels)
    }
  }

  /// The largest entry of the objective's gradient at a probe, by two plain loops, per row.
  private func gradient(_ probe: LinearProbe, _ sample: Sample, weights: [Double]?, c: Double) -> Double {
    let (n, d) = (sample.rows.count, sample.rows.columns)
    func column(_ i: Int) -> [Double] { (0..<n).map { sample.rows.values[$0 * d + i] } }
    let means = (0..<d).map { column($0).reduce(0, +) / Double(n) }
    let deviations = (0..<d).map { i in
      (column(i).reduce(0) { $0 + pow($1 - means[i], 2) } / Double(n)).squareRoot()
    }
    var all = (0..<d).map { probe.weights[$0] * deviations[$0] / c } + [0]
    for row in 0..<n {
      let x = sample.rows.values[row * d..<(row + 1) * d]
      let z = zip(probe.weights, x).reduce(probe.intercept) { $0 + $1.0 * $1.1 }
      let slope = (1 / (1 + exp(-z)) - (sample.labels[row] ? 1 : 0)) * (weights?[row] ?? 1)
      for (i, value) in x.enumerated() where deviations[i] > 0 {
        all[i] += slope * (value - means[i]) / deviations[i]
      }
      all[d] += slope
    }
    return all.map(abs).max().map { $0 / Double(n) } ?? .nan
  }

  /// The objective is strictly convex, so where its gradient is nothing is the minimum: few columns by Newton's method,
  /// many by L-BFGS.
  @Test(arguments: [(1, 2, 0), (2, 3, 1), (3, 31, 5), (4, 60, 32), (5, 61, 33), (6, 97, 130), (7, 20, 130)])
  func findsTheMinimum(_ seed: UInt64, _ count: Int, _ columns: Int) throws {
    let sample = try Sample(seed: seed, count: count, columns: columns)
    for c in [1e-4, 1, 10] {
      let probe = try LogisticRegression(c: c).fit(sample.rows, labels: sample.labels)
      #expect(probe.isConverged, "C \(c)")
      #expect(gradient(probe, sample, weights: nil, c: c) < 2e-8, "C \(c)")
      for i in 0..<columns where i % 11 == 10 { #expect(probe.weights[i] == 0) }
    }
    let weights = (0..<count).map { 0.5 + Double($0 % 3) }
    let probe = try LogisticRegression().fit(sample.rows, labels: sample.labels, weights: weights)
    #expect(gradient(probe, sample, weights: weights, c: 1) < 5e-8)
  }

  /// A column's unit changes nothing but its weight's.
  @Test func unitsDoNotMatter() throws {
    let sample = try Sample(seed: 11, count: 50, columns: 6)
    let other = try ProbeRows(
      sample.rows.values.enumerated().map { $1 * ($0 % 6 == 2 ? 1000 : 1) + ($0 % 6 == 3 ? 7 : 0) }, count: 50,
      columns: 6)
    let (a, b) = try (
      LogisticRegression().fit(sample.rows, labels: sample.labels).scores(sample.rows),
      LogisticRegression().fit(other, labels: sample.labels).scores(other)
    )
    #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  @Test func whatDoesNotFitIsNamed() throws {
    let rows = try ProbeRows([1, 2, 3], count: 3, columns: 1)
    let fit = LogisticRegression()
    #expect(throws: EvaluationError.self) { try fit.fit(rows, labels: [true, true, true]) }
    #expect(throws: EvaluationError.self) { try fit.fit(rows, labels: [true, false]) }
    #expect(throws: EvaluationError.self) { try fit.fit(rows, labels: [true, false, true], weights: [1]) }
    #expect(throws: EvaluationError.self) { try fit.fit(rows, labels: [true, false, true], weights: [1, 0, 1]) }
    #expect(throws: EvaluationError.self) { try LogisticRegression(c: 0).fit(rows, labels: [true, false, true]) }
    #expect(throws: EvaluationError.self) { try ProbeRows([1, .nan], count: 2, columns: 1) }
    #expect(throws: EvaluationError.self) { try ProbeRows([1, 2], count: 1, columns: 1) }
    let probe = try fit.fit(rows, labels: [true, false, true])
    #expect(throws: EvaluationError.self) { try probe.scores(ProbeRows([1, 2], count: 1, columns: 2)) }
    #expect(throws: CancellationError.self) {
      try fit.fit(rows, labels: [true, false, false], check: { throw CancellationError() })
    }
  }
}
