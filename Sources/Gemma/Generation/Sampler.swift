import Foundation
public import Tensors

/// Chooses tokens from logits as a `Sampling` says, with random numbers of its own.
public struct Sampler: Sendable {
  /// How it chooses.
  public let sampling: Sampling
  private let backend: any Backend
  private var random: SplitMix64

  /// A sampler at the beginning of its random numbers.
  /// - Parameter stream: samplers of the same seed with different streams draw independently.
  /// - Throws: `GemmaError.input` for values out of range.
  public init(_ sampling: Sampling, backend: any Backend, stream: Int = 0) throws {
    try sampling.validate()
    self.sampling = sampling
    self.backend = backend
    random = SplitMix64(seed: sampling.seed, stream: UInt64(bitPattern: Int64(stream)))
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

  /// Tokens that can be drawn.
  private struct Candidates {
    /// The token of each weight, largest first and equals by id; nil when the place is the id.
    var ids: [Int]?
    /// exp((logit − largest) / temperature); 0 for what cannot be drawn.
    var weights: [Double]
    var total: Double
  }

  private func candidates(_ logits: Tensor) throws -> Candidates {
    try Self.check(try backend.logSumExp(logits)[0])
    var candidates: Candidates
    if sampling.topK > 0, sampling.topK < logits.count {
      let best = try backend.topK(logits, sampling.topK)[0]
      candidates = weigh(best.map(\.value))
      candidates.ids = best.map(\.index)
    } else {
      candidates = weigh(try logits.read())
    }
    if sampling.topP < 1 { cut(&candidates) }
    return candidates
  }

  private func weigh(_ logits: [Float]) -> Candidates {
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

  /// Keeps the fewest weights, largest first and equals by place, whose sum reaches the share `topP`.
  ///
  /// Weights are first sorted into bins by exponent and leading bits, so that only one bin has to be put in order
  /// however many tokens are kept. O(tokens).
  private func cut(_ candidates: inout Candidates) {
    func bin(_ weight: Double) -> Int { Int(truncatingIfNeeded: ((1.0).bitPattern >> 46) - (weight.bitPattern >> 46)) }
    let positive = candidates.weights.indices.filter { candidates.weights[$0] > 0 }
    var sums = [Double](repeating: 0, count: bin(exp(-61)) + 1)
    for place in positive { sums[bin(candidates.weights[place])] += candidates.weights[place] }
    let wanted = sampling.topP * candidates.total
    var kept = 0.0
    guard
      let last = sums.firstIndex(where: { sum in
        guard kept + sum < wanted else { return true }
        kept += sum
        return false
      })
    else { return }

    let ordered = positive.filter { bin(candidates.weights[$0]) == last }
      .sorted { (candidates.weights[$1], $0) < (candidates.weights[$0], $1) }
    var dropped: [Int] = []
    for place in ordered {
      // At least one, also where the share is too small to tell from none.
      if kept < wanted || kept == 0 { kept += candidates.weights[place] } else { dropped.append(place) }
    }
    dropped += positive.filter { bin(candidates.weights[$0]) > last }
    for place in dropped { candidates.weights[place] = 0 }
    candidates.total = kept
  }
}
