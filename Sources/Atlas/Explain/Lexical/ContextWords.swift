import Foundation

extension LexicalEvidence {
  /// Words that examples have and negatives lack, the most telling first.
  ///
  /// By the log-odds ratio with an informative Dirichlet prior, over its standard deviation (Monroe, Colaresi and Quinn
  /// 2008, "Fightin' Words", Political Analysis 16(4), equations 16 to 22), over windows that have a word in place of its
  /// occurrences, as rules ask whether a word occurs: with y of n windows on one side, p the share of all windows and
  /// α = 2p, α' = 2(1 − p), a side's log-odds are log((y + α)/(n − y + α')), their variance about 1/(y + α).
  /// - Returns: at most `limit` words of two letters or more that are in two examples at least, z above 1.
  package func contextWords(limit: Int) -> [Int] {
    guard examples.count >= 2, !negatives.isEmpty else { return [] }
    let (inside, outside) = (presence(examples.map(\.tokens)), presence(negatives))
    let (n1, n2) = (Double(examples.count), Double(negatives.count))
    var scored: [(word: Int, z: Double)] = []
    for (word, count) in inside where count >= 2 && names[word].count(where: \.isLetter) >= 2 {
      let (y1, y2) = (Double(count), Double(outside[word] ?? 0))
      let share = (y1 + y2) / (n1 + n2)
      let (a, b) = (2 * share, 2 * (1 - share))
      let odds = log((y1 + a) / (n1 - y1 + b)) - log((y2 + a) / (n2 - y2 + b))
      let z = odds / (1 / (y1 + a) + 1 / (y2 + a)).squareRoot()
      // A word that every window has leaves nothing to divide by.
      if z.isFinite, z > 1 { scored.append((word, z)) }
    }
    return scored.sorted { (-$0.z, names[$0.word]) < (-$1.z, names[$1.word]) }.prefix(limit).map(\.word)
  }

  /// For each token the number of windows that have it.
  private func presence(_ windows: [[Int]]) -> [Int: Int] {
    var counts: [Int: Int] = [:]
    for window in windows { for token in Set(window) { counts[token, default: 0] += 1 } }
    return counts
  }
}
