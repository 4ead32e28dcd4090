/// How well a score tells positives, where above 0 means "positive".
public struct DetectionScores: Sendable, Equatable {
  /// Rows that are positives.
  public let positives: Int
  /// 2 TP / (2 TP + FP + FN); nil without a positive.
  public let f1: Double?
  /// TP / (TP + FP); nil where nothing scores above 0.
  public let precision: Double?
  /// TP / (TP + FN); nil without a positive.
  public let recall: Double?
  /// The probability that a positive scores above a negative, equal scores counting half (the area under the ROC curve;
  /// Hanley & McNeil 1982); nil without a positive or without a negative.
  public let area: Double?

  /// - Parameter isPositive: of each of `scores`; the shorter list counts.
  public init(_ scores: [Double], isPositive: [Bool]) {
    let pairs = Array(zip(scores, isPositive))
    let found = pairs.count { $0.0 > 0 && $0.1 }
    let wrong = pairs.count { $0.0 > 0 && !$0.1 }
    positives = pairs.count { $0.1 }
    let predicted = found + wrong
    f1 = positives == 0 ? nil : 2 * Double(found) / Double(predicted + positives)
    precision = predicted == 0 ? nil : Double(found) / Double(predicted)
    recall = positives == 0 ? nil : Double(found) / Double(positives)
    area = RankedWins(pairs.map(\.0), isPositive: pairs.map(\.1)).map { ranks in
      let won = zip(ranks.wins, pairs).reduce(0) { $1.1.1 ? $0 + $1.0 : $0 }
      return won / (Double(ranks.positives) * Double(ranks.negatives))
    }
  }
}
