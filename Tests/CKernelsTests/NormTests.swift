import CKernels
import Foundation
import TestSupport
import Testing

@Suite struct NormTests {
  struct Shape: Sendable {
    var rows: Int, d: Int
  }
  /// One element, primes, Gemma's widths, and more rows than one task takes.
  static let shapes = [
    Shape(rows: 1, d: 1), Shape(rows: 3, d: 7), Shape(rows: 5, d: 640), Shape(rows: 67, d: 1152),
    Shape(rows: 700, d: 33),
  ]
  static let eps = 1e-6

  static func reference(_ x: ArraySlice<Double>, _ gain: [Double]) -> [Double] {
    let scale = 1 / (x.reduce(0) { $0 + $1 * $1 } / Double(x.count) + eps).squareRoot()
    return zip(x, gain).map { $0 * scale * $1 }
  }

  /// Σ over i of dy[i] · ∂y[i]/∂x[j], written out entry by entry.
  static func referenceGradient(
    _ x: ArraySlice<Double>, _ gain: [Double], _ dy: ArraySlice<Double>, frozen: Bool
  ) -> [Double] {
    let x = Array(x)
    let dy = Array(dy)
    let power = x.reduce(0) { $0 + $1 * $1 } / Double(x.count) + eps
    let scale = 1 / power.squareRoot()
    let pulled = x.indices.reduce(0) { $0 + gain[$1] * dy[$1] * x[$1] } / Double(x.count)
    return x.indices.map { scale * gain[$0] * dy[$0] - (frozen ? 0 : scale / power * pulled * x[$0]) }
  }

  @Test(arguments: shapes) func outputMatchesTheReference(_ shape: Shape) throws {
    var random = SeededRandom(seed: 41)
    let count = shape.rows * shape.d
    let x = random.floats(count, scale: 3)
    let gain = random.floats(shape.d, scale: 2)
    let residual = random.floats(count)
    let wide = x.map(Double.init)
    let wideGain = gain.map(Double.init)
    let plain = (0..<shape.rows).flatMap { Self.reference(wide[$0 * shape.d..<($0 + 1) * shape.d], wideGain) }
    let added = zip(plain, residual).map { $0 + Double($1) }
    let same = try KernelHarness.run { table, pool in
      var fresh = [Float](repeating: 9, count: count)
      var inPlace = x
      var onResidual = residual
      let rows = Int64(shape.rows)
      let d = Int64(shape.d)
      table.rms_norm(pool, rows, d, x, gain, Float(Self.eps), nil, &fresh)
      inPlace.withUnsafeMutableBufferPointer {
        table.rms_norm(pool, rows, d, $0.baseAddress, gain, Float(Self.eps), residual, $0.baseAddress)
      }
      onResidual.withUnsafeMutableBufferPointer {
        table.rms_norm(pool, rows, d, x, gain, Float(Self.eps), $0.baseAddress, $0.baseAddress)
      }
      return [fresh, inPlace, onResidual]
    } check: { name, results in
      for (result, wanted) in zip(results, [plain, added, added]) {
        #expect(KernelHarness.largestDifference(result, wanted) < 4e-6, "\(name)")
      }
    }
    #expect(same, "the same bits for any number of threads")
  }

  @Test(arguments: shapes, [false, true]) func gradientMatchesTheReference(_ shape: Shape, _ frozen: Bool) throws {
    var random = SeededRandom(seed: 42)
    let count = shape.rows * shape.d
    let cotangents = 3
    let x = random.floats(count, scale: 3)
    let gain = random.floats(shape.d, scale: 2)
    let dy = random.floats(cotangents * count)
    let wide = x.map(Double.init)
    let wideGain = gain.map(Double.init)
    let wideDy = dy.map(Double.init)
    let expected = (0..<cotangents * shape.rows).flatMap { n in
      let row = n % shape.rows * shape.d
      return Self.referenceGradient(
        wide[row..<row + shape.d], wideGain, wideDy[n * shape.d..<(n + 1) * shape.d], frozen: frozen)
    }
    let same = try KernelHarness.run { table, pool in
      var dx = [Float](repeating: 9, count: dy.count)
      table.rms_norm_vjp(
        pool, Int64(cotangents), Int64(shape.rows), Int64(shape.d), dy, x, gain, Float(Self.eps), frozen ? 1 : 0, &dx)
      return [dx]
    } check: { name, results in
      let size = max(1, expected.reduce(0) { max($0, abs($1)) })
      #expect(KernelHarness.largestDifference(results[0], expected) < 4e-6 * size, "\(name)")
    }
    #expect(same, "the same bits for any number of threads")
  }

  @Test func referenceMatchesFiniteDifferences() {
    var random = SeededRandom(seed: 43)
    let x = random.floats(11).map(Double.init)
    let gain = random.floats(11).map(Double.init)
    let dy = random.floats(11).map(Double.init)
    let gradient = Self.referenceGradient(x[...], gain, dy[...], frozen: false)
    func objective(_ x: [Double]) -> Double { zip(Self.reference(x[...], gain), dy).reduce(0) { $0 + $1.0 * $1.1 } }
    for n in x.indices {
      var above = x
      var below = x
      above[n] += 1e-5
      below[n] -= 1e-5
      #expect(abs((objective(above) - objective(below)) / 2e-5 - gradient[n]) < 1e-8)
    }
  }
}
