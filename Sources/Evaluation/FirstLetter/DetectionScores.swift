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
    area = Self.area(pairs, positives: positives)
  }

  private static func area(_ pairs: [(Double, Bool)], positives: Int) -> Double? {
    let negatives = pairs.count - positives
    guard positives > 0, negatives > 0, pairs.allSatisfy({ !$0.0.isNaN }) else { return nil }
    let sorted = pairs.sorted { $0.0 < $1.0 }
    var (below, wins, start) = (0, 0.0, 0)
    while start < sorted.count {
      let end = sorted[start...].firstIndex { $0.0 != sorted[start].0 } ?? sorted.count
      let equal = sorted[start..<end].count { $0.1 }
      let others = end - start - equal
      wins += Double(equal) * (Double(below) + Double(others) / 2)
      below += others
      start = end
    }
    return wins / (Double(positives) * Double(negatives))
  }
}
