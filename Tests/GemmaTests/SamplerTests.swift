import Foundation
import Gemma
import Tensors
import TestSupport
import Testing

/// Choosing tokens: what can be drawn, how often, and what is refused.
@Suite struct SamplerTests {
  private let backend: NativeBackend

  init() throws { backend = try NativeBackend(threads: 1) }

  private func logits(_ values: [Float]) throws -> Tensor { try Tensor(values, shape: [1, values.count]) }

  private func draws(_ values: [Float], _ sampling: Sampling, count: Int, stream: Int = 0) throws -> [Int32] {
    var sampler = try Sampler(sampling, backend: backend, stream: stream)
    let logits = try logits(values)
    return try (0..<count).map { _ in try sampler.next(logits) }
  }

  /// The distribution by definition: sort, keep k, keep the share p of what is left, renormalise.
  private func distribution(_ values: [Float], _ sampling: Sampling) -> [Double] {
    let order = values.indices.sorted { (values[$1], $0) < (values[$0], $1) }
    let kept = sampling.topK > 0 ? order.prefix(sampling.topK) : order[...]
    let weights = kept.map { exp((Double(values[$0]) - Double(values[order[0]])) / sampling.temperature) }
    let total = weights.reduce(0, +)
    var result = [Double](repeating: 0, count: values.count)
    var sum = 0.0
    for (id, weight) in zip(kept, weights) {
      if sampling.topP < 1 && sum / total >= sampling.topP { break }
      result[id] = weight
      sum += weight
    }
    return result.map { $0 / sum }
  }

  @Test(arguments: [
    Sampling(temperature: 1, seed: 1), Sampling(temperature: 0.5, seed: 2), Sampling(temperature: 3, seed: 3),
    Sampling(temperature: 1, topK: 4, seed: 4), Sampling(temperature: 1, topP: 0.7, seed: 5),
    Sampling(temperature: 1.5, topK: 6, topP: 0.8, seed: 6), Sampling(temperature: 1, topK: 1000, seed: 7),
  ])
  func drawsFollowTheDistribution(sampling: Sampling) throws {
    var random = SeededRandom(seed: 11)
    let values = random.floats(17, scale: 2)
    let expected = distribution(values, sampling)
    let count = 20_000
    var counts = [Int](repeating: 0, count: values.count)
    for token in try draws(values, sampling, count: count) { counts[Int(token)] += 1 }
    for (token, probability) in expected.enumerated() {
      let deviation = (probability * (1 - probability) / Double(count)).squareRoot()
      let share = Double(counts[token]) / Double(count)
      #expect(probability > 0 || counts[token] == 0, "token \(token)")
      #expect(abs(share - probability) <= 4.5 * deviation, "token \(token): \(share), expected \(probability)")
    }
  }

  /// Far more tokens than are put in order at first, and a share that needs many of them.
  @Test func topPReachesFarIntoAFlatDistribution() throws {
    var random = SeededRandom(seed: 12)
    let values = random.floats(3001, scale: 0.5)
    let sampling = Sampling(temperature: 1, topP: 0.9, seed: 1)
    let expected = distribution(values, sampling)
    #expect(expected.count { $0 > 0 } > 2000)
    let drawn = Set(try draws(values, sampling, count: 2000))
    #expect(drawn.allSatisfy { expected[Int($0)] > 0 })
    // Some of them from the unlikely end.
    let order = values.indices.sorted { values[$0] > values[$1] }
    #expect(order[1500..<2000].contains { drawn.contains(Int32($0)) } && drawn.count > 1000)
  }

  @Test func edgesOfTopKAndTopP() throws {
    let values: [Float] = [0, 2, 1, 2, -.infinity]
    func seen(_ sampling: Sampling) throws -> Set<Int32> { Set(try draws(values, sampling, count: 500)) }
    #expect(try seen(.init(temperature: 1, topK: 1)) == [1])
    #expect(try seen(.init(temperature: 1, topK: 2)) == [1, 3])
    #expect(try seen(.init(temperature: 1, topK: 3)) == [1, 2, 3])
    #expect(try seen(.init(temperature: 1, topK: 5)) == [0, 1, 2, 3])
    #expect(try seen(.init(temperature: 1, topP: 1e-9)) == [1])
    #expect(try seen(.init(temperature: 1, topK: 2, topP: .leastNonzeroMagnitude)) == [1])
    #expect(try seen(.init(temperature: 1, topP: 0.5)) == [1, 3])
    #expect(try seen(.init(temperature: 1, topP: 1)) == [0, 1, 2, 3])
    // What top-p counts is the share of what top-k left.
    #expect(try seen(.init(temperature: 1, topK: 2, topP: 0.5)) == [1])
    #expect(try seen(.init(temperature: 1e-300)) == [1, 3])
    #expect(try seen(.init(temperature: 1e300)) == [0, 1, 2, 3])
  }

  @Test func greedyTakesTheLowestOfEqualTokens() throws {
    #expect(try draws([0, 3, 1, 3], .greedy, count: 3) == [1, 1, 1])
    #expect(try draws([5], .init(temperature: 1), count: 2) == [0, 0])
    let rows = try Tensor([1, 2, 3, 9, 9, 0, -4, -5, -.infinity], shape: [3, 3])
    #expect(try Sampler.mostProbable(rows, backend: backend) == [2, 0, 0])
  }

  @Test func seedAndStreamDecide() throws {
    var random = SeededRandom(seed: 13)
    let values = random.floats(200, scale: 0.2)
    func run(_ seed: UInt64, _ stream: Int) throws -> [Int32] {
      try draws(values, .init(temperature: 1, seed: seed), count: 40, stream: stream)
    }
    let first = try run(5, 0)
    #expect(try run(5, 0) == first)
    let others = [try run(6, 0), try run(5, 1), try run(5, 2), try run(4, 1), try run(0, 0), try run(0, 1)]
    #expect(Set(others + [first]).count == 7)
    // No two of them draw the same numbers shifted.
    for other in others { #expect(Set(zip(first.dropFirst(), other).map { $0 == $1 }) != [true]) }
  }

  /// The generator's first numbers, so that a seed means the same in every version.
  @Test func drawsArePinned() throws {
    let values = [Float](repeating: 0, count: 1_000_000)
    #expect(try draws(values, .init(temperature: 1, seed: 0), count: 4) == [883_310, 431_527, 26_433, 970_881])
  }

  @Test(arguments: [
    [Float.nan, 1, 2], [1, .nan, 2], [0, .infinity, 1], [-.infinity, -.infinity], [.nan, .nan], [.infinity, .infinity],
  ])
  func refusesWhatIsNoDistribution(values: [Float]) throws {
    for sampling in [
      Sampling.greedy, .init(temperature: 1), .init(temperature: 1, topK: 1), .init(temperature: 1, topP: 0.5),
    ] {
      #expect(throws: GemmaError.self) { try draws(values, sampling, count: 1) }
    }
    #expect(throws: GemmaError.self) {
      try Sampler.mostProbable(try Tensor([1, 2] + values.prefix(2), shape: [2, 2]), backend: backend)
    }
  }

  @Test(arguments: [
    (Sampling(temperature: -1), "temperature"), (Sampling(temperature: .nan), "temperature"),
    (Sampling(temperature: .infinity), "temperature"), (Sampling(topK: -1), "top-k"), (Sampling(topP: 0), "top-p"),
    (Sampling(topP: 1.1), "top-p"), (Sampling(topP: .nan), "top-p"),
  ])
  func refusesValuesOutOfRange(sampling: Sampling, name: String) throws {
    let error = #expect(throws: GemmaError.self) { try Sampler(sampling, backend: backend) }
    #expect(error?.description.hasPrefix(name) == true)
  }
}
