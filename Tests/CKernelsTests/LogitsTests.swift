import CKernels
import Foundation
import TestSupport
import Testing

@Suite struct LogitsTests {
  struct Shape: Sendable {
    var rows: Int, n: Int
    /// Floats left free after every row.
    var gap = 0
  }
  /// One column, primes, past a chunk of columns, more rows than are under way at once, Gemma's vocabulary.
  static let shapes = [
    Shape(rows: 1, n: 1), Shape(rows: 3, n: 101, gap: 2), Shape(rows: 2, n: 8193), Shape(rows: 1100, n: 13),
    Shape(rows: 5, n: 30011, gap: 1), Shape(rows: 1, n: 262_144),
  ]

  static func logSumExp(_ x: ArraySlice<Float>) -> Double {
    let peak = Double(x.max() ?? -.infinity)
    return peak + log(x.reduce(0) { $0 + exp(Double($1) - peak) })
  }

  @Test(arguments: shapes) func logSumExpMatchesTheReference(_ shape: Shape) throws {
    var random = SeededRandom(seed: 71)
    let ld = shape.n + shape.gap
    let x = random.floats(shape.rows * ld, scale: 30)
    let expected = (0..<shape.rows).map { Self.logSumExp(x[$0 * ld..<$0 * ld + shape.n]) }
    let same = try KernelHarness.run { table, pool in
      var out = [Float](repeating: 9, count: shape.rows)
      table.log_sum_exp(pool, Int64(shape.rows), Int64(shape.n), x, Int64(ld), &out)
      return [out]
    } check: { name, results in
      #expect(KernelHarness.largestDifference(results[0], expected) < 6e-6, "\(name)")
    }
    #expect(same, "the same bits for any number of threads")
  }

  @Test(arguments: shapes.filter { $0.gap == 0 } + [Shape(rows: 5, n: 30011)])
  func divergenceMatchesTheReference(_ shape: Shape) throws {
    var random = SeededRandom(seed: 73)
    let (p, q) = (random.floats(shape.rows * shape.n, scale: 12), random.floats(shape.rows * shape.n, scale: 12))
    func logs(_ x: [Float]) -> [[Double]] {
      (0..<shape.rows).map { row in
        let values = x[row * shape.n..<(row + 1) * shape.n]
        let total = Self.logSumExp(values)
        return values.map { Double($0) - total }
      }
    }
    let (logP, logQ) = (logs(p), logs(q))
    let expected = zip(logP, logQ).map { zip($0, $1).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) } }
    let gradient = zip(logP, logQ).flatMap { zip($0, $1).map { exp($1) - exp($0) } }
    let (pSums, qSums) = (
      (0..<shape.rows).map { Float(Self.logSumExp(p[$0 * shape.n..<($0 + 1) * shape.n])) },
      (0..<shape.rows).map { Float(Self.logSumExp(q[$0 * shape.n..<($0 + 1) * shape.n])) }
    )
    let same = try KernelHarness.run { table, pool in
      var (values, out) = ([Double](repeating: 9, count: shape.rows), q)
      // In place, as the engine does it with a gradient that needs no memory of its own.
      out.withUnsafeMutableBufferPointer {
        table.divergence(
          pool, Int64(shape.rows), Int64(shape.n), p, pSums, $0.baseAddress, qSums, &values, $0.baseAddress)
      }
      return [values.map(Float.init), out]
    } check: { name, results in
      for (value, wanted) in zip(results[0], expected) {
        #expect(abs(Double(value) - wanted) < 1e-5 * max(wanted, 1), "\(name): \(value), \(wanted)")
      }
      #expect(zip(results[1], gradient).allSatisfy { abs(Double($0) - $1) < 1e-5 }, "\(name)")
    }
    #expect(same, "the same bits for any number of threads")
  }

  @Test func logSumExpOfInfinitiesAndNaN() throws {
    let n = 20011
    var x = [Float](repeating: -.infinity, count: 4 * n)
    for i in n..<3 * n { x[i] = 1 }
    x[n + 9000] = .infinity
    x[2 * n + 17] = .nan
    x[3 * n + 19999] = 2.5
    _ = try KernelHarness.run { table, pool in
      var out = [Float](repeating: 9, count: 4)
      table.log_sum_exp(pool, 4, Int64(n), x, Int64(n), &out)
      return [out]
    } check: { name, results in
      #expect(results[0][0] == -.infinity && results[0][1] == .infinity, "\(name)")
      #expect(results[0][2].isNaN && results[0][3] == 2.5, "\(name)")
    }
  }

  /// Rounded values tie often; a few NaN must come after everything else.
  @Test(arguments: shapes, [1, 5, 64, Int.max]) func topKMatchesASort(_ shape: Shape, _ wanted: Int) throws {
    // A part of the longest row will do: it is sorted for every table and pool.
    let k = min(wanted, shape.n, 40000)
    var random = SeededRandom(seed: 72)
    let ld = shape.n + shape.gap
    var x = random.floats(shape.rows * ld, scale: 40).map { $0.rounded() }
    for _ in 0..<5 { x[random.int(0...x.count - 1)] = .nan }
    x[0] = -0.0
    let kept = (0..<shape.rows).map { row in
      let values = x[row * ld..<row * ld + shape.n]
      let order = values.indices.sorted { a, b in
        if values[a].isNaN || values[b].isNaN { return !values[a].isNaN || (values[b].isNaN && a < b) }
        return values[a] == values[b] ? a < b : values[a] > values[b]
      }
      return order.prefix(k)
    }
    let expectedIDs = kept.enumerated().flatMap { row, indices in indices.map { Int32($0 - row * ld) } }
    let expectedBits = kept.flatMap { $0.map { x[$0].bitPattern } }
    let same = try KernelHarness.run { table, pool in
      var ids = [Int32](repeating: -1, count: shape.rows * k)
      var values = [Float](repeating: 9, count: shape.rows * k)
      table.top_k(pool, Int64(shape.rows), Int64(shape.n), x, Int64(ld), Int64(k), &ids, &values)
      #expect(ids == expectedIDs, "\(String(cString: table.name))")
      return [values]
    } check: { name, results in
      #expect(results[0].map(\.bitPattern) == expectedBits, "\(name)")
    }
    #expect(same, "the same bits for any number of threads")
  }

  /// The order of arrival must not matter: rising rows replace the heap's root at every step.
  @Test func topKOfARisingRow() throws {
    let n = 50021
    let k = 300
    let x = (0..<n).map { Float($0 / 3) }
    let order = (0..<n).sorted { x[$0] == x[$1] ? $0 < $1 : x[$0] > x[$1] }.prefix(k)
    _ = try KernelHarness.run { table, pool in
      var ids = [Int32](repeating: -1, count: k)
      var values = [Float](repeating: 9, count: k)
      table.top_k(pool, 1, Int64(n), x, Int64(n), Int64(k), &ids, &values)
      #expect(ids == order.map(Int32.init), "\(String(cString: table.name))")
      return [values]
    } check: { name, results in
      #expect(results[0] == order.map { x[$0] }, "\(name)")
    }
  }

  /// Rounded values tie often.
  @Test(arguments: shapes, [1, 10]) func spreadMatchesASort(_ shape: Shape, _ wanted: Int) throws {
    let (k, bars) = (min(wanted, shape.n), 50)
    var random = SeededRandom(seed: 73)
    let ld = shape.n + shape.gap
    let x = random.floats(shape.rows * ld, scale: 40).map { $0.rounded() / 8 }
    let rows = (0..<shape.rows).map { Array(x[$0 * ld..<$0 * ld + shape.n]) }
    let falling = rows.map { row in row.indices.sorted { row[$0] == row[$1] ? $0 < $1 : row[$0] > row[$1] }.prefix(k) }
    let rising = rows.map { row in row.indices.sorted { row[$0] == row[$1] ? $0 < $1 : row[$0] < row[$1] }.prefix(k) }
    let counts = rows.flatMap { row -> [UInt32] in
      let (low, high) = (row.min() ?? 0, row.max() ?? 0)
      var counts = [UInt32](repeating: 0, count: bars)
      for value in row { counts[high > low ? min(bars - 1, Int((value - low) * (Float(bars) / (high - low)))) : 0] += 1 }
      return counts
    }
    let same = try KernelHarness.run { table, pool in
      var topIDs = [Int32](repeating: -1, count: shape.rows * k), bottomIDs = topIDs
      var top = [Float](repeating: 9, count: shape.rows * k), bottom = top
      var found = [UInt32](repeating: 9, count: shape.rows * bars)
      table.spread(
        pool, Int64(shape.rows), Int64(shape.n), x, Int64(ld), Int64(k), Int64(bars), &topIDs, &top, &bottomIDs,
        &bottom, &found)
      let name = String(cString: table.name)
      #expect(topIDs == falling.flatMap { $0.map { Int32($0) } }, "\(name)")
      #expect(bottomIDs == rising.flatMap { $0.map { Int32($0) } }, "\(name)")
      #expect(found == counts, "\(name)")
      return [top, bottom]
    } check: { name, results in
      #expect(results[0] == zip(rows, falling).flatMap { row, order in order.map { row[$0] } }, "\(name)")
      #expect(results[1] == zip(rows, rising).flatMap { row, order in order.map { row[$0] } }, "\(name)")
    }
    #expect(same, "the same bits for any number of threads")
  }

  /// What is no number takes the first bar; infinities leave no width to divide.
  @Test func spreadOfOddRowsStaysInItsBars() throws {
    let n = 37
    let ordinary = (0..<n).map { Float($0) }
    var odd = ordinary
    odd[3] = .nan
    var endless = ordinary
    (endless[5], endless[6]) = (.infinity, -.infinity)
    let x = odd + endless + [Float](repeating: .nan, count: n) + [Float](repeating: 2, count: n)
    _ = try KernelHarness.run { table, pool in
      var ids = [Int32](repeating: -1, count: 4)
      var (top, bottom) = ([Float](repeating: 9, count: 4), [Float](repeating: 9, count: 4))
      var counts = [UInt32](repeating: 9, count: 4 * 9)
      var others = ids
      table.spread(pool, 4, Int64(n), x, Int64(n), 1, 9, &ids, &top, &others, &bottom, &counts)
      let name = String(cString: table.name)
      let sums = (0..<4).map { row in counts[row * 9..<row * 9 + 9].reduce(0, +) }
      #expect(sums == [37, 37, 37, 37], "\(name)")
      #expect(counts[0..<9] == [4, 4, 4, 4, 4, 4, 4, 4, 5], "\(name)")
      #expect(counts[9] == 37 && counts[18] == 37 && counts[27] == 37, "\(name)")
      return [[top[0], bottom[0], top[1], bottom[1], top[3], bottom[3]]]
    } check: { name, results in
      #expect(results[0] == [36, 0, .infinity, -.infinity, 2, 2], "\(name)")
    }
  }
}
