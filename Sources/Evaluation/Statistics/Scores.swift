/// How well the scores of texts tell positives from negatives. A score above 0 calls a text positive.
public struct Scores: Equatable, Sendable {
  /// Texts called what they are, as a share of all.
  public let accuracy: TextStatistic
  /// The chance that a positive has a higher score than a negative, ties counting one half.
  public let auc: TextStatistic
  /// TP / (TP + FP); undefined when no text is called positive.
  public let precision: TextStatistic
  /// TP / (TP + FN).
  public let recall: TextStatistic
  /// 2 TP / (2 TP + FP + FN).
  public let f1: TextStatistic

  /// - Parameters:
  ///   - scores: of each item.
  ///   - labels: whether it is a positive.
  ///   - texts: the text it belongs to, for intervals.
  /// - Throws: `EvaluationError.shape` when they are not equally many.
  public init(_ scores: [Double], labels: [Bool], texts: [Int]) throws {
    guard scores.count == labels.count, scores.count == texts.count else {
      throw EvaluationError.shape(
        what: "scores", expected: "\(scores.count) labels and texts", found: "\(labels.count) and \(texts.count)")
    }
    let called = scores.map { $0 > 0 }
    func count(_ value: (Bool, Bool) -> Double) -> [Double] { zip(called, labels).map { value($0, $1) } }
    let hits = count { $0 && $1 ? 1 : 0 }
    accuracy = TextStatistic(count { $0 == $1 ? 1 : 0 }, per: count { _, _ in 1 }, texts: texts)
    precision = TextStatistic(hits, per: count { call, _ in call ? 1 : 0 }, texts: texts)
    recall = TextStatistic(hits, per: count { _, label in label ? 1 : 0 }, texts: texts)
    f1 = TextStatistic(
      hits.map { 2 * $0 }, per: count { ($0 ? 1 : 0) + ($1 ? 1 : 0) }, texts: texts)
    auc = Self.auc(scores, labels, texts)
  }

  /// Each positive's share of negatives below it, and each negative's share of positives above it, are what the area
  /// moves by with the item (DeLong, DeLong and Clarke-Pearson 1988).
  private static func auc(_ scores: [Double], _ labels: [Bool], _ texts: [Int]) -> TextStatistic {
    guard let ranks = RankedWins(scores, isPositive: labels) else { return TextStatistic(nil) }
    let (positives, negatives) = (ranks.positives, ranks.negatives)
    let placements = zip(ranks.wins, labels).map { $0 / Double($1 ? negatives : positives) }
    let area = placements.indices.reduce(0) { labels[$1] ? $0 + placements[$1] : $0 } / Double(positives)
    var influence: [Int: Double] = [:]
    for (item, text) in texts.enumerated() {
      influence[text, default: 0] += (placements[item] - area) / Double(labels[item] ? positives : negatives)
    }
    return TextStatistic(area, influence: influence)
  }
}
