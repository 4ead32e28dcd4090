import CKernels
import TestSupport
import Testing

@Suite struct AttentionVJPTests {
  typealias Shape = AttentionReference.Shape

  static let shapes: [Shape] = [
    Shape(),
    Shape(queries: 7, keys: 7, queryHeads: 4, headDim: 16),
    Shape(queries: 101, keys: 101, queryHeads: 4, headDim: 256, gap: 2),
    Shape(queries: 61, keys: 61, queryHeads: 4, kvHeads: 2, headDim: 128, window: 5, gap: 3),
    Shape(queries: 40, keys: 40, queryHeads: 2, kvHeads: 2, window: 1),
    Shape(queries: 40, keys: 40, queryHeads: 4, kvHeads: 4, headDim: 16, window: 2),
    Shape(queries: 30, keys: 30, queryHeads: 2, headDim: 20, window: 1000),
    Shape(queries: 101, keys: 350, queryHeads: 4, headDim: 16, firstQuery: 249, window: 71),
    Shape(queries: 1, keys: 130, queryHeads: 4, headDim: 16, firstQuery: 129),
    Shape(queries: 20, keys: 10, queryHeads: 4, headDim: 32, firstKey: 5, window: 3),
    Shape(queries: 6, keys: 6, queryHeads: 200, window: 3),
  ]

  /// One cotangent, and more than are carried together.
  @Test(arguments: shapes, [1, 5]) func gradientMatchesTheReference(_ shape: Shape, _ cotangents: Int) throws {
    let problem = AttentionReference(shape, seed: 31)
    var random = SeededRandom(seed: 32)
    let dout = random.floats(cotangents * shape.queries * shape.queryWidth)
    let pattern = problem.pattern()
    let plane = shape.queries * shape.queryWidth
    let parts = (0..<cotangents).map { c in
      problem.gradient(dout[c * plane..<(c + 1) * plane].map(Double.init), pattern)
    }
    let expected = [parts.flatMap(\.dq), parts.flatMap(\.dk), parts.flatMap(\.dv)]
    let same = try KernelHarness.run { table, pool in
      Self.gradient(problem, dout, cotangents, frozen: false, table, pool)
        + Self.gradient(problem, dout, cotangents, frozen: true, table, pool)
    } check: { name, results in
      for (n, wanted) in (expected + [[], [], expected[2]]).enumerated() {
        let size = max(1, wanted.reduce(0) { max($0, abs($1)) })
        #expect(KernelHarness.largestDifference(results[n], wanted) < 4e-6 * size, "\(name), result \(n)")
      }
    }
    #expect(same, "the same bits for any number of threads")
  }

  /// A long sequence, whose tiles come in several waves, against the sum of the gradients of two halves of its queries,
  /// each a problem of its own over the same keys.
  @Test func wavesAddUp() throws {
    let shape = Shape(queries: 1800, keys: 1800, queryHeads: 4, headDim: 8)
    let half = shape.queries / 2
    let whole = AttentionReference(shape, seed: 33)
    let early = AttentionReference(whole, queries: 0..<half)
    let late = AttentionReference(whole, queries: half..<shape.queries)
    var random = SeededRandom(seed: 34)
    let dout = random.floats(shape.queries * shape.queryWidth)
    let cut = half * shape.queryWidth
    for table in KernelHarness.tables {
      let pool = try #require(gs_pool_create(2))
      defer { gs_pool_destroy(pool) }
      let all = Self.gradient(whole, dout, 1, frozen: false, table, pool)
      let first = Self.gradient(early, Array(dout[..<cut]), 1, frozen: false, table, pool)
      let second = Self.gradient(late, Array(dout[cut...]), 1, frozen: false, table, pool)
      let name = String(cString: table.name)
      #expect(KernelHarness.largestDifference(all[0], (first[0] + second[0]).map(Double.init)) < 1e-5, "\(name)")
      for n in 1...2 {
        let sums = zip(first[n], second[n]).map { Double($0) + Double($1) }
        #expect(KernelHarness.largestDifference(all[n], sums) < 1e-4, "\(name), result \(n)")
      }
    }
  }

  /// The reference's own gradient against central differences in double precision.
  @Test(arguments: [
    Shape(queries: 5, keys: 5, queryHeads: 4, kvHeads: 2, headDim: 3),
    Shape(queries: 4, keys: 7, queryHeads: 2, headDim: 4, firstQuery: 3, window: 3),
  ]) func referenceMatchesFiniteDifferences(_ shape: Shape) {
    let problem = AttentionReference(shape, seed: 35)
    var random = SeededRandom(seed: 36)
    let dout = random.floats(shape.queries * shape.queryWidth).map(Double.init)
    let gradient = problem.gradient(dout, problem.pattern())
    func objective(_ problem: AttentionReference) -> Double {
      zip(problem.output(problem.pattern()), dout).reduce(0) { $0 + $1.0 * $1.1 }
    }
    for (path, expected) in [
      (\AttentionReference.q, gradient.dq), (\AttentionReference.k, gradient.dk), (\AttentionReference.v, gradient.dv),
    ] {
      for n in expected.indices {
        var above = problem
        var below = problem
        above[keyPath: path][n] += 1e-5
        below[keyPath: path][n] -= 1e-5
        #expect(abs((objective(above) - objective(below)) / 2e-5 - expected[n]) < 1e-8)
      }
    }
  }

  /// dq, dk and dv; the first two empty when frozen.
  static func gradient(
    _ problem: AttentionReference, _ dout: [Float], _ cotangents: Int, frozen: Bool, _ table: gs_kernels,
    _ pool: OpaquePointer
  ) -> [[Float]] {
    let marker = AttentionReference.marker
    let shape = problem.shape
    let keyed = [Float](repeating: marker, count: cotangents * shape.keys * shape.keyWidth)
    var dq = [Float](repeating: marker, count: dout.count)
    var dk = keyed
    var dv = keyed
    var unused: [Float] = [0]
    let status = problem.withKernelArguments(&unused) { forward in
      dout.withUnsafeBufferPointer { dout in
        dq.withUnsafeMutableBufferPointer { dq in
          dk.withUnsafeMutableBufferPointer { dk in
            dv.withUnsafeMutableBufferPointer { dv in
              var arguments = gs_attention_vjp(
                forward: forward, cotangents: Int64(cotangents), dout: dout.baseAddress,
                dq: frozen ? nil : dq.baseAddress, dk: frozen ? nil : dk.baseAddress, dv: dv.baseAddress)
              return table.attention_vjp(pool, &arguments)
            }
          }
        }
      }
    }
    #expect(status == 0)
    return frozen ? [[], [], dv] : [dq, dk, dv]
  }
}

extension AttentionReference {
  /// The same keys and values under some of the queries.
  fileprivate init(_ whole: AttentionReference, queries: Range<Int>) {
    var shape = whole.shape
    shape.queries = queries.count
    shape.firstQuery += queries.lowerBound
    self.init(shape, seed: 0)
    q = Array(whole.q[queries.lowerBound * shape.queryWidth..<queries.upperBound * shape.queryWidth])
    k = whole.k
    v = whole.v
  }
}
