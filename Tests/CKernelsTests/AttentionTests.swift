import CKernels
import TestSupport
import Testing

@Suite struct AttentionTests {
  typealias Shape = AttentionReference.Shape

  /// One query, primes, sizes past the query tile (96 rows) and the key block (96 keys), windows of 1, 2, odd and
  /// longer than the sequence, caches, every grouping, gaps between rows.
  static let shapes: [Shape] = [
    Shape(),
    Shape(queries: 7, keys: 7, queryHeads: 4, headDim: 16),
    Shape(queries: 97, keys: 97, queryHeads: 4, headDim: 256),
    Shape(queries: 131, keys: 131, queryHeads: 4, kvHeads: 2, headDim: 128, window: 5, gap: 3),
    Shape(queries: 64, keys: 64, queryHeads: 2, kvHeads: 2, window: 1),
    Shape(queries: 50, keys: 50, queryHeads: 4, kvHeads: 4, headDim: 16, window: 2, gap: 1),
    Shape(queries: 30, keys: 30, queryHeads: 2, headDim: 20, window: 1000),
    Shape(queries: 201, keys: 450, queryHeads: 4, headDim: 16, firstQuery: 249, window: 70),
    Shape(queries: 401, keys: 401, queryHeads: 1, headDim: 8, window: 127),
    Shape(queries: 5, keys: 701, queryHeads: 4, kvHeads: 2, headDim: 64, firstQuery: 696),
    Shape(queries: 33, keys: 600, queryHeads: 4, headDim: 16, firstQuery: 567, window: 513),
    Shape(queries: 6, keys: 6, queryHeads: 200, window: 3),
    Shape(queries: 40, keys: 60, queryHeads: 3, headDim: 12, firstQuery: 30, firstKey: 10, window: 31),
    Shape(queries: 300, keys: 300, queryHeads: 2, headDim: 32, loudness: 60),
  ]

  static let steps: [Shape] = [
    Shape(keys: 2, firstQuery: 1),
    Shape(keys: 257, queryHeads: 4, headDim: 256, firstQuery: 256),
    Shape(keys: 1031, queryHeads: 4, headDim: 256, firstQuery: 1030, gap: 5),
    Shape(keys: 1031, queryHeads: 4, kvHeads: 2, headDim: 128, firstQuery: 1030, window: 300),
    Shape(keys: 77, queryHeads: 7, headDim: 20, firstQuery: 76, window: 1),
    Shape(keys: 100, queryHeads: 4, kvHeads: 4, headDim: 16, firstQuery: 150, firstKey: 51, window: 75),
    Shape(keys: 530, queryHeads: 3, headDim: 33, firstQuery: 529, loudness: 60),
  ]

  @Test(arguments: shapes + steps) func outputMatchesTheReference(_ shape: Shape) throws {
    let problem = AttentionReference(shape, seed: 11)
    let expected = problem.output(problem.pattern())
    let spread = AttentionReference.spread(expected, width: shape.queryWidth, gap: shape.gap)
    let same = try KernelHarness.run { table, pool in
      var out = [Float](repeating: AttentionReference.marker, count: spread.count)
      let status = problem.withKernelArguments(&out) { arguments in
        withUnsafePointer(to: arguments) { table.attention(pool, $0, 1) }
      }
      #expect(status == 0)
      return [out]
    } check: { name, results in
      let difference = KernelHarness.largestDifference(results[0], spread.map(Double.init))
      // Scores of a loud problem reach 100 and carry their rounding into the exponent.
      #expect(difference < (shape.loudness > 1 ? 1e-4 : 4e-6), "\(name)")
    }
    #expect(same, "the same bits for any number of threads")
  }

  @Test(arguments: shapes + steps) func patternMatchesTheReference(_ shape: Shape) throws {
    let problem = AttentionReference(shape, seed: 12)
    let expected = problem.pattern()
    let same = try KernelHarness.run { table, pool in
      var pattern = [Float](repeating: AttentionReference.marker, count: expected.count)
      var out: [Float] = [0]
      let status = problem.withKernelArguments(&out) { arguments in
        withUnsafePointer(to: arguments) { table.attention_pattern(pool, $0, &pattern) }
      }
      #expect(status == 0)
      return [pattern]
    } check: { name, results in
      let difference = KernelHarness.largestDifference(results[0], expected)
      #expect(difference < (shape.loudness > 1 ? 1e-4 : 4e-6), "\(name)")
    }
    #expect(same, "the same bits for any number of threads")
  }

  @Test func aQueryWithoutKeysGivesZeros() throws {
    // Some stand before the first key, others more than a window after the last.
    for shape in [
      Shape(queries: 20, keys: 10, queryHeads: 4, headDim: 32, firstKey: 5, window: 3),
      Shape(queries: 1, keys: 10, queryHeads: 4, headDim: 32, firstKey: 5),
      Shape(queries: 1, keys: 10, queryHeads: 4, headDim: 32, firstQuery: 50, window: 3),
    ] {
      let problem = AttentionReference(shape, seed: 13)
      let expected = problem.output(problem.pattern())
      #expect(expected.prefix(shape.queryWidth).allSatisfy { $0 == 0 })
      _ = try KernelHarness.run { table, pool in
        var out = [Float](repeating: AttentionReference.marker, count: expected.count)
        _ = problem.withKernelArguments(&out) { arguments in
          withUnsafePointer(to: arguments) { table.attention(pool, $0, 1) }
        }
        return [out]
      } check: { name, results in
        #expect(KernelHarness.largestDifference(results[0], expected) < 4e-6, "\(name)")
      }
    }
  }

  @Test func sequencesOfOneCallDoNotMix() throws {
    let shapes = [
      Shape(queries: 1, keys: 613, queryHeads: 4, headDim: 16, firstQuery: 612),
      Shape(queries: 45, keys: 45, queryHeads: 4, headDim: 16),
      Shape(queries: 3, keys: 900, queryHeads: 4, headDim: 16, firstQuery: 897, window: 600),
    ]
    let problems = shapes.enumerated().map { AttentionReference($1, seed: UInt64(20 + $0)) }
    let expected = problems.map { $0.output($0.pattern()) }
    let same = try KernelHarness.run { table, pool in
      let blank = expected.map { [Float](repeating: 0, count: $0.count) }
      var first = blank[0]
      var second = blank[1]
      var third = blank[2]
      let status = problems[0].withKernelArguments(&first) { a in
        problems[1].withKernelArguments(&second) { b in
          problems[2].withKernelArguments(&third) { c in table.attention(pool, [a, b, c], 3) }
        }
      }
      #expect(status == 0)
      return [first, second, third]
    } check: { name, results in
      for (out, wanted) in zip(results, expected) {
        #expect(KernelHarness.largestDifference(out, wanted) < 4e-6, "\(name)")
      }
    }
    #expect(same, "the same bits for any number of threads")
  }

  @Test func notANumberReachesTheOutput() throws {
    let shape = Shape(queries: 9, keys: 9, queryHeads: 2, headDim: 16)
    var problem = AttentionReference(shape, seed: 14)
    problem.q[4 * shape.queryWidth] = .nan
    _ = try KernelHarness.run { table, pool in
      var out = [Float](repeating: 0, count: shape.queries * shape.queryWidth)
      _ = problem.withKernelArguments(&out) { arguments in
        withUnsafePointer(to: arguments) { table.attention(pool, $0, 1) }
      }
      return [out]
    } check: { name, results in
      for (n, value) in results[0].enumerated() {
        #expect(value.isNaN == (n / shape.headDim == 4 * shape.queryHeads), "\(name)")
      }
    }
  }
}
