import Atlas
import TestSupport
import Testing

@Suite struct CoactivationTests {
  /// Random tokens, each with the features that are on.
  private func tokens(_ count: Int, width: Int, _ random: inout SeededRandom) -> [[Int32]] {
    (0..<count).map { _ in
      Set((0..<random.int(0...9)).map { _ in Int32(min(random.int(0...width - 1), random.int(0...width - 1))) })
        .sorted()
    }
  }

  private func expected(_ tokens: [[Int32]], width: Int, limit: Int) -> [[Coactivation.Partner]] {
    let sets = (0..<width).map { feature in Set(tokens.indices.filter { tokens[$0].contains(Int32(feature)) }) }
    return (0..<width).map { feature in
      var partners: [Coactivation.Partner] = []
      for other in 0..<width where other != feature {
        let both = sets[feature].intersection(sets[other]).count
        guard both >= 3 else { continue }
        let either = sets[feature].union(sets[other]).count
        partners.append(.init(feature: other, value: Double(both) / Double(either), tokens: both))
      }
      partners.sort { (-$0.value, $0.feature) < (-$1.value, $1.feature) }
      return Array(partners.prefix(limit))
    }
  }

  @Test(arguments: [1, 2, 3, 31, 64]) func theTriangleCountsPairs(width: Int) throws {
    var random = SeededRandom(seed: UInt64(width))
    let tokens = tokens(200, width: width, &random)
    var triangle = CoactivationTriangle(width: width)
    for token in tokens { triangle.add(token) }
    let counts = (0..<width).map { feature in tokens.count { $0.contains(Int32(feature)) } }
    #expect(
      Coactivation.triangle(triangle).partners(counts: counts, limit: 4) {}
        == expected(tokens, width: width, limit: 4))
  }

  /// A sample that has room for all tokens gives what the triangle gives; a smaller one is the same whatever the order.
  @Test(arguments: [5, 61]) func theSampleIsOfSmallestHashes(width: Int) throws {
    var random = SeededRandom(seed: UInt64(width) + 7)
    let tokens = tokens(300, width: width, &random)
    func sample(_ capacity: Int, _ order: [Int]) -> CoactivationSample {
      var sample = CoactivationSample(capacity: capacity)
      for place in order {
        sample.add(sequence: Int32(place / 10), position: Int32(place % 10), seed: 3) { tokens[place] }
      }
      sample.prune()
      return sample
    }
    let order = Array(tokens.indices)
    let counts = (0..<width).map { feature in tokens.count { $0.contains(Int32(feature)) } }
    #expect(
      Coactivation.sample(sample(1000, order)).partners(counts: counts, limit: 10) {}
        == expected(tokens, width: width, limit: 10))
    for capacity in [1, 7, 64, 299] {
      let chosen = order.sorted { a, b in
        ReferenceHash.of(3, a / 10, a % 10) < ReferenceHash.of(3, b / 10, b % 10)
      }.prefix(capacity)
      let found = sample(capacity, order)
      #expect(found.tokens.map(\.features) == chosen.map { tokens[$0] })
      #expect(sample(capacity, order.shuffled(using: &random)).tokens == found.tokens)
    }
  }
}
