import Foundation
import Tensors
import TestSupport
import Testing

/// Attention step by step through caches against all of it at once, worked out the slow way.
struct CachedAttentionTests {
  let backend: NativeBackend
  init() throws { backend = try NativeBackend(threads: 2) }

  private func shape(window: Int?, queryHeads: Int = 4, keyValueHeads: Int = 2, headDimension: Int = 3)
    -> AttentionShape
  {
    AttentionShape(
      queryHeads: queryHeads, keyValueHeads: keyValueHeads, headDimension: headDimension, window: window, scale: 0.7)
  }

  /// Queries, keys and values of one sequence.
  private struct Sequence {
    let shape: AttentionShape
    let q, k, v: Tensor

    init(_ shape: AttentionShape, rows: Int, seed: UInt64) throws {
      var random = SeededRandom(seed: seed)
      let (queries, keys) = (shape.queryHeads * shape.headDimension, shape.keyValueHeads * shape.headDimension)
      self.shape = shape
      q = try Tensor(random.floats(rows * queries), shape: [rows, queries])
      k = try Tensor(random.floats(rows * keys), shape: [rows, keys])
      v = try Tensor(random.floats(rows * keys), shape: [rows, keys])
    }

    /// [queryHeads, n, n]
    func pattern() throws -> [Float] {
      let (queries, keys) = (try q.read(), try k.read())
      let (n, d, group) = (q.rows, shape.headDimension, shape.queryHeads / shape.keyValueHeads)
      var pattern = [Float](repeating: 0, count: shape.queryHeads * n * n)
      for head in 0..<shape.queryHeads {
        for i in 0..<n {
          let visible = max(0, i + 1 - (shape.window ?? n))...i
          let weights = visible.map { j in
            exp(
              Double(shape.scale)
                * (0..<d).reduce(0.0) {
                  $0 + Double(queries[i * q.rowLength + head * d + $1])
                    * Double(keys[j * k.rowLength + head / group * d + $1])
                })
          }
          let sum = weights.reduce(0, +)
          for (j, weight) in zip(visible, weights) { pattern[(head * n + i) * n + j] = Float(weight / sum) }
        }
      }
      return pattern
    }

    /// [n, queryHeads · headDimension]
    func output() throws -> [Float] {
      let (weights, values) = (try pattern(), try v.read())
      let (n, d, group) = (q.rows, shape.headDimension, shape.queryHeads / shape.keyValueHeads)
      return (0..<q.count).map { place in
        let (i, head, c) = (place / q.rowLength, place % q.rowLength / d, place % d)
        return Float(
          (0...i).reduce(0.0) {
            $0 + Double(weights[(head * n + i) * n + $1]) * Double(values[$1 * v.rowLength + head / group * d + c])
          })
      }
    }
  }

  /// Passes rows `range` through `cache` and compares the outputs with the whole sequence's.
  private func step(_ sequence: Sequence, _ range: Range<Int>, _ cache: any KeyValueCache, _ expected: [Float]) throws {
    let width = sequence.q.rowLength
    let output = try backend.attention(
      q: sequence.q.rows(range), k: sequence.k.rows(range), v: sequence.v.rows(range), segments: [0..<range.count],
      caches: [cache], shape: sequence.shape)
    expectClose(
      try output.read(), Array(expected[range.lowerBound * width..<range.upperBound * width]), rowLength: width,
      tolerance: 1e-5, "rows \(range), window \(sequence.shape.window ?? 0)")
    #expect(cache.count == range.upperBound)
  }

  @Test(arguments: [nil, 1, 2, 5, 40, Int.max] as [Int?])
  func stepsEqualTheWhole(window: Int?) throws {
    let shape = shape(window: window)
    let sequence = try Sequence(shape, rows: 97, seed: UInt64(clamping: window ?? 1000))
    let expected = try sequence.output()
    let whole = try backend.attention(
      q: sequence.q, k: sequence.k, v: sequence.v, segments: [0..<97], caches: nil, shape: shape)
    expectClose(try whole.read(), expected, rowLength: sequence.q.rowLength, tolerance: 1e-5, "whole")
    // Steps of one, of less and of more than two windows, and none at all.
    for sizes in [[1], [3, 1], [0, 7], [11, 1, 1], [60, 1], [97]] {
      let cache = try backend.makeCache(shape)
      var (next, steps) = (0, 0)
      while next < 97 {
        let end = min(97, next + sizes[steps % sizes.count])
        try step(sequence, next..<end, cache, expected)
        (next, steps) = (end, steps + 1)
      }
    }
  }

  @Test(arguments: [1, 2, 5])
  func truncationReachesBackToTheWindow(window: Int) throws {
    let shape = shape(window: window)
    let sequence = try Sequence(shape, rows: 40, seed: 3)
    let expected = try sequence.output()
    var wasRefused = false
    for end in 1..<30 {
      for kept in 0...end {
        let cache = try backend.makeCache(shape)
        for row in 0..<end { try step(sequence, row..<row + 1, cache, expected) }
        do {
          try cache.truncate(to: kept)
        } catch TensorError.dropped(let position, let first) {
          // Refused only where rows are really gone, and then nothing has changed.
          #expect(position == max(0, kept - window + 1) && position < first && first <= end)
          #expect(cache.count == end)
          wasRefused = true
          try step(sequence, end..<end + 2, cache, expected)
          continue
        }
        #expect(cache.count == kept)
        try step(sequence, kept..<kept + 1, cache, expected)
        try step(sequence, kept + 1..<kept + 4, cache, expected)
      }
    }
    #expect(wasRefused)
    let cache = try backend.makeCache(shape)
    #expect(throws: TensorError.outOfRange(operation: "truncate cache", value: 1, limit: 1)) {
      try cache.truncate(to: 1)
    }
    #expect(throws: TensorError.self) { try cache.truncate(to: -1) }
    #expect(
      "\(TensorError.dropped(position: 3, first: 12))"
        == "position 3 is needed again, but the sliding window has dropped those before 12")
  }

  /// A configuration may claim any window; memory follows the tokens.
  @Test func memoryFollowsTheTokens() throws {
    for window in [1 << 30, Int.max, nil] {
      let shape = shape(window: window)
      let sequence = try Sequence(shape, rows: 200, seed: 8)
      let cache = try backend.makeCache(shape)
      #expect(cache.byteCount == 0)
      let row = 2 * shape.keyValueHeads * shape.headDimension * 4
      let expected = try sequence.output()
      for i in 0..<200 {
        try step(sequence, i..<i + 1, cache, expected)
        #expect(cache.byteCount <= row * max(64, 2 * (i + 1)))
      }
    }
    // And a window bounds it.
    let shape = shape(window: 5)
    let sequence = try Sequence(shape, rows: 90, seed: 8)
    let cache = try backend.makeCache(shape)
    let expected = try sequence.output()
    for i in 0..<90 { try step(sequence, i..<i + 1, cache, expected) }
    #expect(cache.byteCount == 10 * 2 * shape.keyValueHeads * shape.headDimension * 4)
  }

  @Test func severalSequencesEachHaveTheirCache() throws {
    let shape = shape(window: 2)
    let all = try (0..<3).map { try Sequence(shape, rows: 12, seed: UInt64($0)) }
    let caches = try all.map { _ in try backend.makeCache(shape) }
    let expected = try all.map { try $0.output() }
    for range in [0..<5, 5..<6, 6..<12] {
      let starts = (0...3).map { $0 * range.count }
      let output = try backend.attention(
        q: backend.concatenate(all.map { try $0.q.rows(range) }),
        k: backend.concatenate(all.map { try $0.k.rows(range) }),
        v: backend.concatenate(all.map { try $0.v.rows(range) }),
        segments: zip(starts, starts.dropFirst()).map { $0..<$1 }, caches: caches, shape: shape)
      let width = output.rowLength
      let wanted = expected.flatMap { $0[range.lowerBound * width..<range.upperBound * width] }
      expectClose(try output.read(), wanted, rowLength: width, tolerance: 1e-5, "rows \(range)")
    }
  }

  @Test func cachesThatDoNotFitChangeNothing() throws {
    let shape = shape(window: 5)
    let sequence = try Sequence(shape, rows: 4, seed: 1)
    let good = try backend.makeCache(shape)
    final class Stranger: KeyValueCache {
      var count: Int { 0 }
      var byteCount: Int { 0 }
      func truncate(to count: Int) {}
    }
    let others: [any KeyValueCache] = [
      good, Stranger(), try backend.makeCache(self.shape(window: nil)),
      try backend.makeCache(self.shape(window: 5, headDimension: 6)),
      try backend.makeCache(self.shape(window: 5, keyValueHeads: 4)),
    ]
    for other in others {
      #expect(throws: TensorError.self) {
        try backend.attention(
          q: sequence.q, k: sequence.k, v: sequence.v, segments: [0..<2, 2..<4], caches: [good, other], shape: shape)
      }
      #expect(good.count == 0 && other.count == 0)
    }
    #expect(throws: TensorError.self) {
      try backend.attention(
        q: sequence.q, k: sequence.k, v: sequence.v, segments: [0..<2, 2..<4], caches: [good], shape: shape)
    }
    #expect(good.count == 0)
  }

  @Test func impossibleSizesAreRefused() throws {
    let impossible = [
      shape(window: 0), shape(window: -1), shape(window: nil, queryHeads: 0), shape(window: nil, keyValueHeads: 0),
      shape(window: nil, queryHeads: -2, keyValueHeads: -1), shape(window: nil, keyValueHeads: 3),
      shape(window: nil, headDimension: 0), shape(window: nil, queryHeads: 1 << 40, headDimension: 1 << 40),
    ]
    let empty = try Tensor([], shape: [0, 0])
    for shape in impossible {
      #expect(throws: TensorError.self) { try backend.makeCache(shape) }
      #expect(throws: TensorError.self) { try backend.attentionPattern(q: empty, k: empty, shape: shape) }
    }
  }

  @Test(arguments: [nil, 1, 2, 5] as [Int?])
  func patternEqualsItsDefinition(window: Int?) throws {
    for rows in [1, 13, 70] {
      let sequence = try Sequence(shape(window: window), rows: rows, seed: UInt64(rows))
      let pattern = try backend.attentionPattern(q: sequence.q, k: sequence.k, shape: sequence.shape)
      #expect(pattern.shape == [4, rows, rows])
      expectClose(try pattern.read(), try sequence.pattern(), rowLength: rows, tolerance: 1e-5, "pattern")
    }
  }
}
