/// How positives and negatives stand to each other when sorted by their scores (Hanley and McNeil 1982).
struct RankedWins {
  /// Of a positive how many negatives lie below it, of a negative how many positives lie above it; equal scores count
  /// one half.
  let wins: [Double]
  let positives: Int
  let negatives: Int

  /// nil without a positive or without a negative, and where a score is not a number.
  /// - Parameter isPositive: of each of `scores`.
  init?(_ scores: [Double], isPositive: [Bool]) {
    positives = isPositive.count { $0 }
    negatives = isPositive.count - positives
    guard positives > 0, negatives > 0, scores.allSatisfy({ !$0.isNaN }) else { return nil }
    let order = scores.indices.sorted { scores[$0] < scores[$1] }
    var wins = [Double](repeating: 0, count: scores.count)
    var (start, below) = (0, (positives: 0, negatives: 0))
    while start < order.count {
      let end = order[start...].firstIndex { scores[$0] != scores[order[start]] } ?? order.count
      let tied = order[start..<end]
      let equal = tied.count { isPositive[$0] }
      let others = tied.count - equal
      for item in tied {
        wins[item] =
          isPositive[item]
          ? Double(below.negatives) + Double(others) / 2
          : Double(positives - below.positives - equal) + Double(equal) / 2
      }
      below = (below.positives + equal, below.negatives + others)
      start = end
    }
    self.wins = wins
  }
}
