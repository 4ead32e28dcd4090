import CKernels
import Foundation
import TestSupport

/// One attention problem in double precision, worked out the slow way: a row of scores, its softmax, a weighted sum.
struct AttentionReference {
  struct Shape: Sendable, CustomStringConvertible {
    var queries = 1, keys = 1
    var queryHeads = 1, kvHeads = 1, headDim = 8
    var firstQuery = 0, firstKey = 0, window = 0
    /// Floats left free at the end of every row of q, k, v and out.
    var gap = 0
    /// Largest magnitude of q; large values make sharp softmaxes.
    var loudness: Float = 1

    var description: String {
      "\(queries)x\(keys) heads \(queryHeads)/\(kvHeads)x\(headDim) from \(firstQuery)/\(firstKey) window \(window)"
    }

    var group: Int { queryHeads / kvHeads }
    var queryWidth: Int { queryHeads * headDim }
    var keyWidth: Int { kvHeads * headDim }
    var scale: Float { 1 / Float(headDim).squareRoot() }

    func sees(_ query: Int, _ key: Int) -> Bool {
      let position = firstQuery + query
      let other = firstKey + key
      return other <= position && (window == 0 || other > position - window)
    }
  }

  let shape: Shape
  /// Without gaps: [queries, query_heads · head_dim] and [keys, kv_heads · head_dim].
  var q, k, v: [Double]

  init(_ shape: Shape, seed: UInt64) {
    var random = SeededRandom(seed: seed)
    self.shape = shape
    q = random.floats(shape.queries * shape.queryWidth, scale: shape.loudness).map(Double.init)
    k = random.floats(shape.keys * shape.keyWidth).map(Double.init)
    v = random.floats(shape.keys * shape.keyWidth).map(Double.init)
  }

  private func queryAt(_ i: Int, _ head: Int) -> Int { i * shape.queryWidth + head * shape.headDim }
  private func keyAt(_ j: Int, _ head: Int) -> Int { j * shape.keyWidth + head / shape.group * shape.headDim }

  /// [query_heads, queries, keys]
  func pattern() -> [Double] {
    var pattern = [Double](repeating: 0, count: shape.queryHeads * shape.queries * shape.keys)
    for head in 0..<shape.queryHeads {
      for i in 0..<shape.queries {
        let visible = (0..<shape.keys).filter { shape.sees(i, $0) }
        let scores = visible.map { j in
          Double(shape.scale) * dot(q, queryAt(i, head), k, keyAt(j, head), shape.headDim)
        }
        guard let peak = scores.max() else { continue }
        let weights = scores.map { exp($0 - peak) }
        let sum = weights.reduce(0, +)
        for (j, weight) in zip(visible, weights) {
          pattern[(head * shape.queries + i) * shape.keys + j] = weight / sum
        }
      }
    }
    return pattern
  }

  /// [queries, query_heads · head_dim]
  func output(_ pattern: [Double]) -> [Double] {
    var out = [Double](repeating: 0, count: shape.queries * shape.queryWidth)
    forEachWeight(pattern) { head, i, j, weight in
      addScaled(&out, queryAt(i, head), v, keyAt(j, head), weight, shape.headDim)
    }
    return out
  }

  /// Gradients of Σ dout·out with respect to q, k and v.
  func gradient(_ dout: [Double], _ pattern: [Double]) -> (dq: [Double], dk: [Double], dv: [Double]) {
    var dq = [Double](repeating: 0, count: q.count)
    var dk = [Double](repeating: 0, count: k.count)
    var dv = dk
    let d = shape.headDim
    var means = [Double](repeating: 0, count: shape.queryHeads * shape.queries)
    forEachWeight(pattern) { head, i, j, weight in
      means[head * shape.queries + i] += weight * dot(dout, queryAt(i, head), v, keyAt(j, head), d)
      addScaled(&dv, keyAt(j, head), dout, queryAt(i, head), weight, d)
    }
    forEachWeight(pattern) { head, i, j, weight in
      let change = dot(dout, queryAt(i, head), v, keyAt(j, head), d) - means[head * shape.queries + i]
      let dscore = Double(shape.scale) * weight * change
      addScaled(&dq, queryAt(i, head), k, keyAt(j, head), dscore, d)
      addScaled(&dk, keyAt(j, head), q, queryAt(i, head), dscore, d)
    }
    return (dq, dk, dv)
  }

  private func forEachWeight(_ pattern: [Double], _ body: (Int, Int, Int, Double) -> Void) {
    for head in 0..<shape.queryHeads {
      for i in 0..<shape.queries {
        for j in 0..<shape.keys where shape.sees(i, j) {
          body(head, i, j, pattern[(head * shape.queries + i) * shape.keys + j])
        }
      }
    }
  }

  private func dot(_ a: [Double], _ i: Int, _ b: [Double], _ j: Int, _ count: Int) -> Double {
    var sum = 0.0
    for n in 0..<count { sum += a[i + n] * b[j + n] }
    return sum
  }

  private func addScaled(_ y: inout [Double], _ i: Int, _ x: [Double], _ j: Int, _ factor: Double, _ count: Int) {
    for n in 0..<count { y[i + n] += factor * x[j + n] }
  }
}

extension AttentionReference {
  /// `values` in rows of `width`, each followed by `gap` markers.
  static func spread(_ values: [Double], width: Int, gap: Int) -> [Float] {
    stride(from: 0, to: values.count, by: width).flatMap { start in
      values[start..<start + width].map { Float($0) } + [Float](repeating: marker, count: gap)
    }
  }

  static let marker: Float = 12345

  /// Runs `body` on the problem as the kernels see it, `out` being its output rows.
  func withKernelArguments(_ out: inout [Float], _ body: (gs_attention) -> Int32) -> Int32 {
    let q = Self.spread(q, width: shape.queryWidth, gap: shape.gap)
    let k = Self.spread(k, width: shape.keyWidth, gap: shape.gap)
    let v = Self.spread(v, width: shape.keyWidth, gap: shape.gap)
    return q.withUnsafeBufferPointer { q in
      k.withUnsafeBufferPointer { k in
        v.withUnsafeBufferPointer { v in
          out.withUnsafeMutableBufferPointer { out in
            body(
              gs_attention(
                queries: Int64(shape.queries), keys: Int64(shape.keys), query_heads: Int64(shape.queryHeads),
                kv_heads: Int64(shape.kvHeads), head_dim: Int64(shape.headDim),
                first_query: Int64(shape.firstQuery), first_key: Int64(shape.firstKey), window: Int64(shape.window),
                scale: shape.scale, q: q.baseAddress, k: k.baseAddress, v: v.baseAddress,
                ldq: Int64(shape.queryWidth + shape.gap), ldk: Int64(shape.keyWidth + shape.gap),
                ldv: Int64(shape.keyWidth + shape.gap), out: out.baseAddress,
                ldo: Int64(shape.queryWidth + shape.gap)))
          }
        }
      }
    }
  }
}
