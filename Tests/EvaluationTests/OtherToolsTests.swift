import Evaluation
import Foundation
import TestSupport
import Testing

@Suite struct OtherToolsTests {
  /// Written out for two batches of different size.
  @Test func followTheirFormulas() throws {
    var random = SeededRandom(seed: 3)
    let width = 3
    let batches = [5, 8].map { count -> (x: [Float], z: [Float]) in
      let x = random.floats(count * width).map { $0 * 2 + 1 }
      return (x, x.map { $0 + 0.3 * random.float() + 0.1 })
    }
    var accumulator = OtherToolsMetrics.Accumulator()
    for batch in batches { accumulator.add(batch.x, batch.z, width: width) }
    let found = accumulator.metrics

    var (ratios, perToken, errorMeans, squareMeans, coordinateMeans) = ([Double](), [Double](), 0.0, 0.0, 0.0)
    var (biases, fractions, lengths) = (0.0, 0.0, 0.0)
    for batch in batches {
      let rows = stride(from: 0, to: batch.x.count, by: width).map { start in
        (batch.x[start..<start + width].map(Double.init), batch.z[start..<start + width].map(Double.init))
      }
      let n = Double(rows.count)
      func square(_ v: [Double]) -> Double { v.reduce(0) { $0 + $1 * $1 } }
      let mean = (0..<width).map { i in rows.reduce(0) { $0 + $1.0[i] } / n }
      let errors = rows.map { zip($0.0, $0.1).map { $0 - $1 } }
      ratios += zip(rows, errors).map { 1 - square($1) / square(zip($0.0, mean).map { $0 - $1 }) }
      perToken += errors.map { square($0) / n }
      errorMeans += errors.map(square).reduce(0, +) / n / 2
      squareMeans += rows.map { square($0.0) }.reduce(0, +) / n / 2
      coordinateMeans += rows.map { square($0.0) }.reduce(0, +) / n / Double(width) / 2
      biases +=
        rows.map { square($0.1) }.reduce(0, +) / rows.map { zip($0.0, $0.1).reduce(0) { $0 + $1.0 * $1.1 } }.reduce(0, +)
        / 2
      func variance(_ vectors: [[Double]]) -> Double {
        (0..<width).reduce(0) { sum, i in
          let values = vectors.map { $0[i] }
          let mean = values.reduce(0, +) / n
          return sum + values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
        }
      }
      fractions += (1 - variance(errors) / variance(rows.map(\.0))) / 2
      lengths += errors.map { square($0).squareRoot() }.reduce(0, +) / n / 2
    }
    func close(_ a: Double?, _ b: Double) -> Bool { abs((a ?? .nan) - b) < 1e-9 }
    #expect(close(found.legacyExplainedVariance, ratios.reduce(0, +) / 13))
    #expect(close(found.saeBenchMSE, perToken.reduce(0, +) / 13))
    #expect(
      close(found.saeBenchExplainedVariance, 1 - errorMeans / (squareMeans - coordinateMeans * coordinateMeans)))
    #expect(close(found.reconstructionBiasOfBatches, biases))
    #expect(close(found.fractionVarianceExplained, fractions))
    #expect(close(found.meanErrorLength, lengths))
    #expect(found.batches == 2 && found.tokensPerBatch == 6.5)
  }

  @Test func nothingIsNotANumber() {
    let nothing = OtherToolsMetrics.Accumulator().metrics
    #expect(nothing.saeBenchMSE == nil && nothing.tokensPerBatch == nil && nothing.batches == 0)
  }
}
