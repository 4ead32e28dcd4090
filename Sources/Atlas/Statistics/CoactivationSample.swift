/// Which features were on at a sample of tokens, for dictionaries of many features: those tokens with the smallest
/// hashes, so that any order of the work gives the same sample.
package struct CoactivationSample: Equatable {
  package struct Token: Equatable {
    package let hash: UInt64
    package let sequence: Int32
    package let position: Int32
    /// Ascending.
    package let features: [Int32]

    static func precedes(_ a: Token, _ b: Token) -> Bool {
      (a.hash, a.sequence, a.position) < (b.hash, b.sequence, b.position)
    }
  }

  package let capacity: Int
  /// At most twice the capacity; the smallest hashes are all among them.
  package private(set) var tokens: [Token] = []
  /// No token beyond it can be among the smallest.
  private var limit = UInt64.max

  package init(capacity: Int, tokens: [Token] = []) {
    self.capacity = capacity
    self.tokens = tokens
    prune()
  }

  package mutating func add(sequence: Int32, position: Int32, seed: UInt64, features: () -> [Int32]) {
    let hash = AtlasHash.of(seed, Int(sequence), Int(position))
    guard hash <= limit else { return }
    tokens.append(Token(hash: hash, sequence: sequence, position: position, features: features()))
    if tokens.count >= 2 * capacity { prune() }
  }

  /// Leaves the sample alone.
  package mutating func prune() {
    tokens.sort(by: Token.precedes)
    guard tokens.count > capacity else { return }
    tokens.removeSubrange(capacity...)
    if let last = tokens.last { limit = last.hash }
  }
}

/// Pairs of features that are on at the same tokens.
package enum Coactivation: Equatable {
  case triangle(CoactivationTriangle)
  case sample(CoactivationSample)

  /// Tokens of the sample.
  static let sampleTokens = 16_384
  /// Pairs that met less often are not told.
  static let leastTokens = 3

  package init(width: Int) {
    self =
      width <= CoactivationTriangle.mostFeatures
      ? .triangle(CoactivationTriangle(width: width)) : .sample(CoactivationSample(capacity: Self.sampleTokens))
  }

  package mutating func prune() {
    guard case .sample(var sample) = self else { return }
    sample.prune()
    self = .sample(sample)
  }

  /// A feature that is often on together with another.
  package struct Partner: Equatable {
    package let feature: Int
    /// Tokens at which both are on, over tokens at which one of them is (Jaccard).
    package let value: Double
    /// Tokens at which both are on.
    package let tokens: Int

    package init(feature: Int, value: Double, tokens: Int) {
      self.feature = feature
      self.value = value
      self.tokens = tokens
    }
  }

  /// For each feature its partners of largest Jaccard index, at most `limit`, equal ones by index.
  /// - Parameter counts: of each feature, over all tokens.
  package func partners(counts: [Int], limit: Int, check: () throws -> Void) rethrows -> [[Partner]] {
    switch self {
    case .triangle(let triangle):
      return try counts.indices.map { feature in
        if feature % 256 == 0 { try check() }
        return Self.best(of: feature, together: triangle.together(with: feature), counts: counts, limit: limit)
      }
    case .sample(let sample):
      var places = [[Int32]](repeating: [], count: counts.count)
      for (index, token) in sample.tokens.enumerated() {
        for feature in token.features { places[Int(feature)].append(Int32(index)) }
      }
      let inSample = places.map(\.count)
      var together = [Int](repeating: 0, count: counts.count)
      return try counts.indices.map { feature in
        if feature % 256 == 0 { try check() }
        for place in places[feature] {
          for other in sample.tokens[Int(place)].features { together[Int(other)] += 1 }
        }
        together[feature] = 0
        defer {
          for place in places[feature] {
            for other in sample.tokens[Int(place)].features { together[Int(other)] = 0 }
          }
        }
        return Self.best(of: feature, together: together, counts: inSample, limit: limit)
      }
    }
  }

  private static func best(of feature: Int, together: [Int], counts: [Int], limit: Int) -> [Partner] {
    var best: [Partner] = []
    for (other, tokens) in together.enumerated() where tokens >= leastTokens {
      let value = Double(tokens) / Double(counts[feature] + counts[other] - tokens)
      if best.count == limit, let last = best.last, value <= last.value { continue }
      let place = best.firstIndex { value > $0.value } ?? best.count
      best.insert(Partner(feature: other, value: value, tokens: tokens), at: place)
      if best.count > limit { best.removeLast() }
    }
    return best
  }
}
