/// The features that one rank of many holds: every `count`-th, from `rank` on. Dealing them in turn keeps Matryoshka
/// prefixes balanced. Local feature j is feature j · count + rank of the dictionary.
public struct FeatureShard: Hashable, Sendable {
  public let rank: Int
  public let count: Int

  /// All features on one rank.
  public static let whole = FeatureShard(uncheckedRank: 0, count: 1)

  /// - Throws: `TrainingError.setting` unless 0 ≤ rank < count.
  public init(rank: Int, count: Int) throws {
    guard rank >= 0, rank < count else {
      throw TrainingError.setting(name: "rank", expected: "0 ..< \(max(count, 1))", found: "\(rank)")
    }
    self.init(uncheckedRank: rank, count: count)
  }

  private init(uncheckedRank rank: Int, count: Int) {
    self.rank = rank
    self.count = count
  }

  /// How many of the first `features` features are local.
  public func localCount(_ features: Int) -> Int { max(0, (features - rank + count - 1) / count) }
  /// The dictionary's index of local feature `local`.
  public func feature(_ local: Int) -> Int { local * count + rank }
}
