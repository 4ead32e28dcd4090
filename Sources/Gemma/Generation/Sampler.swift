import Foundation
public import Tensors

/// Chooses tokens from logits as a `Sampling` says, with random numbers of its own.
public struct Sampler: Sendable {
  public let sampling: Sampling
  private let backend: any Backend
  private var random: SamplingRandom

  /// - Parameter stream: samplers of the same seed with different streams draw independently.
  /// - Throws: `GemmaError.input` for values out of range.
  public init(_ sampling: Sampling, backend: any Backend, stream: Int = 0) throws {
    try sampling.validate()
    self.sampling = sampling
    self.backend = backend
    random = SamplingRandom(seed: sampling.seed, stream: UInt64(bitPattern: Int64(stream)))
  }

  /// The next token. logits: [1, vocabulary] or [vocabulary], fp32.
  /// - Throws: `GemmaError.input` for logits that hold NaN or +∞, or nothing above −∞; `TensorError`.
  public mutating func next(_ logits: Tensor) throws -> Int32 {
    let logits = try logits.reshaped([1, logits.count])
    if sampling.temperature == 0 { return try Self.mostProbable(logits, backend: backend)[0] }
    let candidates = try candidates(logits)
    let target = random.unit() * candidates.total
    var sum = 0.0
    for (place, weight) in candidates.weights.enumerated() {
      sum += weight
      if sum > target { return Int32(candidates.ids?[place] ?? place) }
    }
    // Rounding may leave the sum just short of the total: the last token that can be drawn at all.
    let last = candidates.weights.lastIndex { $0 > 0 } ?? 0
    return Int32(candidates.ids?[last] ?? last)
  }

  /// The token of the largest logit in each row, of equal ones the lowest id. logits: [rows, vocabulary].
  /// - Throws: `GemmaError.input` for a row that holds NaN or +∞, or nothing above −∞; `TensorError`.
  public static func mostProbable(_ logits: Tensor, backend: any Backend) throws -> [Int32] {
    // A NaN anywhere in a row ends up in its sum, while the largest may well be a number.
    for sum in try backend.logSumExp(logits) { try check(sum) }
    return try backend.topK(logits, 1).map { best in Int32(best[0].index) }
  }

  private static func check(_ value: Float) throws {
    guard value.isFinite else {
      throw GemmaError.input("no next token: the logits hold \(value.isNaN ? "NaN" : "only infinite values or +∞")")
    }
  }

  /// Tokens that can be drawn: in order of falling weight with their ids, or all with `ids` nil.
  private struct Candidates {
    var ids: [Int]?
    /// exp((logit − largest) / temperature)
    var weights: [Double]
    var total: Double
  }

  private func candidates(_ logits: Tensor) throws -> Candidates {
    try Self.check(try backend.logSumExp(logits)[0])
    let vocabulary = logits.count
    if sampling.topK > 0, sampling.topK < vocabulary {
      let best = try top(logits, sampling.topK)
      return cut(best, of: best.total)
    }
    let all = weights(try logits.read())
    guard sampling.topP < 1 else { return all }
    // Only as many of the largest are put in order as are needed for the share.
    var count = min(64, vocabulary)
    while true {
      let best = try top(logits, count)
      if best.total >= sampling.topP * all.total || count == vocabulary { return cut(best, of: all.total) }
      count = min(count * 8, vocabulary)
    }
  }

  private func top(_ logits: Tensor, _ count: Int) throws -> Candidates {
    let best = try backend.topK(logits, count)[0]
    var candidates = weights(best.map(\.value))
    candidates.ids = best.map(\.index)
    return candidates
  }

  private func weights(_ logits: [Float]) -> Candidates {
    let largest = Double(logits.max() ?? 0)
    var total = 0.0
    let weights = logits.map { logit in
      let exponent = (Double(logit) - largest) / sampling.temperature
      // e^−60: a million such tokens together would be drawn once in 10^20 times.
      guard exponent > -60 else { return 0.0 }
      let weight = exp(exponent)
      total += weight
      return weight
    }
    return Candidates(ids: nil, weights: weights, total: total)
  }

  /// The fewest of `sorted` whose weights reach the share `topP` of `total`.
  private func cut(_ sorted: Candidates, of total: Double) -> Candidates {
    guard sampling.topP < 1 else { return sorted }
    var kept = sorted
    var sum = 0.0
    for (place, weight) in sorted.weights.enumerated() {
      sum += weight
      guard sum >= sampling.topP * total else { continue }
      kept.weights = Array(sorted.weights[...place])
      kept.total = sum
      break
    }
    return kept
  }
}
