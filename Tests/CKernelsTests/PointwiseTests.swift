import CKernels
import Foundation
import TestSupport
import Testing

@Suite struct PointwiseTests {
  static func gelu(_ x: Double) -> Double {
    0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
  }

  static func slope(_ x: Double) -> Double {
    let root = (2 / Double.pi).squareRoot()
    let t = tanh(root * (x + 0.044715 * x * x * x))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * root * (1 + 3 * 0.044715 * x * x)
  }

  @Test func referenceSlopeMatchesFiniteDifferences() {
    for n in -60...60 {
      let x = Double(n) / 10
      #expect(abs((Self.gelu(x + 1e-5) - Self.gelu(x - 1e-5)) / 2e-5 - Self.slope(x)) < 1e-9)
    }
  }

  /// Counts past a task's elements and cotangents, neither a multiple of a vector.
  @Test(arguments: [1, 7, 2048, 5003], [1, 3, 18]) func gateGradientMatchesTheReference(
    _ n: Int, _ cotangents: Int
  ) throws {
    var random = SeededRandom(seed: 61)
    let gate = random.floats(n, scale: 8)
    let up = random.floats(n)
    let dh = random.floats(cotangents * n)
    let slopes = zip(gate, up).map { Self.slope(Double($0)) * Double($1) }
    let values = gate.map { Self.gelu(Double($0)) }
    let dgate = dh.indices.map { Double(dh[$0]) * slopes[$0 % n] }
    let dup = dh.indices.map { Double(dh[$0]) * values[$0 % n] }
    let same = try KernelHarness.run { table, pool in
      var a = [Float](repeating: 9, count: dh.count)
      var b = a
      table.gelu_gate_vjp(pool, Int64(cotangents), Int64(n), gate, up, dh, &a, &b)
      return [a, b]
    } check: { name, results in
      #expect(KernelHarness.largestDifference(results[0], dgate) < 2e-6, "\(name)")
      #expect(KernelHarness.largestDifference(results[1], dup) < 4e-6, "\(name)")
    }
    #expect(same, "the same bits for any number of threads")
  }

  @Test func gateGradientFarOut() throws {
    let gate: [Float] = [20, -20, 1e30, -1e30, 0, -0.0, .nan, -12]
    let ones = [Float](repeating: 1, count: gate.count)
    _ = try KernelHarness.run { table, pool in
      var a = ones
      var b = ones
      table.gelu_gate_vjp(pool, 1, Int64(gate.count), gate, ones, ones, &a, &b)
      return [a, b]
    } check: { name, results in
      for (n, slope) in [(0, 1), (1, 0), (2, 1), (3, 0), (4, 0.5), (5, 0.5), (7, 0)] as [(Int, Float)] {
        #expect(abs(results[0][n] - slope) < 1e-6, "\(name) at \(gate[n])")
      }
      for (n, value) in [(0, 20), (1, 0), (2, 1e30), (3, 0), (4, 0), (5, 0), (7, 0)] as [(Int, Float)] {
        #expect(abs(results[1][n] - value) <= 1e-6 * max(1, value), "\(name) at \(gate[n])")
      }
      #expect(results[0][6].isNaN && results[1][6].isNaN, "\(name)")
    }
  }

  @Test(arguments: [1, 17, 32768, 70001]) func axpyAddsScaled(_ n: Int) throws {
    var random = SeededRandom(seed: 62)
    let x = random.floats(n)
    let y = random.floats(n)
    let expected = zip(x, y).map { Double($1) - 0.37 * Double($0) }
    let same = try KernelHarness.run { table, pool in
      var sum = y
      table.axpy(pool, Int64(n), -0.37, x, &sum)
      return [sum]
    } check: { name, results in
      #expect(KernelHarness.largestDifference(results[0], expected) < 2e-7, "\(name)")
    }
    #expect(same, "the same bits for any number of threads")
  }
}
