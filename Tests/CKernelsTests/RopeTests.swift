import CKernels
import Foundation
import TestSupport
import Testing

@Suite struct RopeTests {
  struct Shape: Sendable {
    var rows: Int, heads: Int, headDim: Int
  }
  static let shapes = [
    Shape(rows: 1, heads: 1, headDim: 2), Shape(rows: 5, heads: 3, headDim: 14),
    Shape(rows: 37, heads: 4, headDim: 256),
    Shape(rows: 61, heads: 1, headDim: 128),
  ]

  @Test(arguments: shapes) func pairsTurnByTheRowsAngles(_ shape: Shape) throws {
    var random = SeededRandom(seed: 51)
    let half = shape.headDim / 2
    let x = random.floats(shape.rows * shape.heads * shape.headDim)
    let angles = random.floats(shape.rows * half, scale: 100)
    let cosines = angles.map { Float(cos(Double($0))) }
    let sines = angles.map { Float(sin(Double($0))) }
    var expected = x.map(Double.init)
    for row in 0..<shape.rows {
      for head in 0..<shape.heads {
        for i in 0..<half {
          let first = (row * shape.heads + head) * shape.headDim + i
          let second = first + half
          let angle = Double(angles[row * half + i])
          expected[first] = Double(x[first]) * cos(angle) - Double(x[second]) * sin(angle)
          expected[second] = Double(x[second]) * cos(angle) + Double(x[first]) * sin(angle)
        }
      }
    }
    let same = try KernelHarness.run { table, pool in
      let rows = Int64(shape.rows)
      let heads = Int64(shape.heads)
      let headDim = Int64(shape.headDim)
      var turned = x
      table.rope(pool, rows, heads, headDim, &turned, cosines, sines, 0)
      var back = turned
      table.rope(pool, rows, heads, headDim, &back, cosines, sines, 1)
      return [turned, back]
    } check: { name, results in
      #expect(KernelHarness.largestDifference(results[0], expected) < 1e-6, "\(name)")
      #expect(KernelHarness.largestDifference(results[1], x.map(Double.init)) < 1e-6, "\(name), back again")
    }
    #expect(same, "the same bits for any number of threads")
  }
}
