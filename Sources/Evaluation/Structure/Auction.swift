import Gemma

/// An auction (Bertsekas 1988, "The auction algorithm: a distributed relaxation method for the assignment problem",
/// Annals of Operations Research 14) of columns among rows, each of which bids on a short list of its best columns.
///
/// A row bids for the column of the largest weight less price, by as much as it is better than the next, and ε. Prices
/// start at 0 and only columns that have a row get one, so with fewer rows than columns the result is within rows · ε
/// of the best, too (Bertsekas & Castañón 1992, "A forward/reverse auction algorithm for asymmetric assignment
/// problems"). A row whose list does not hold all columns may turn to the others: none of them is heavier than the
/// list's last. When the list offers no more than that, the row leaves the auction.
struct Auction {
  let columns: Int
  /// For each row its best columns, heaviest first. All of them, or as many for each row.
  let candidates: [[CosineMatrix.Neighbour]]
  let epsilon: Double
  /// For each row its column; −1 where it left.
  private(set) var columnOfRow: [Int]
  private var prices: [Double]

  init(columns: Int, candidates: [[CosineMatrix.Neighbour]], epsilon: Double) {
    (self.columns, self.candidates, self.epsilon) = (columns, candidates, epsilon)
    columnOfRow = [Int](repeating: -1, count: candidates.count)
    prices = [Double](repeating: 0, count: columns)
  }

  /// What a row can hope for from columns that are not on its list; nil where all are.
  private func elsewhere(_ row: Int) -> Double? {
    candidates[row].count < columns ? candidates[row].last.map { Double($0.cosine) } ?? 0 : nil
  }

  mutating func run(check: CancellationCheck) throws {
    var rowOfColumn = [Int](repeating: -1, count: columns)
    // The last of the list bids next; rows start in order.
    var waiting = Array((0..<candidates.count).reversed())
    var bids = 0
    while let row = waiting.popLast() {
      bids += 1
      if bids % 4096 == 0 { try check() }
      var (best, second, place) = (-Double.infinity, elsewhere(row) ?? -.infinity, -1)
      let limit = second
      for candidate in candidates[row] {
        let value = Double(candidate.cosine) - prices[candidate.place]
        if value > best {
          (second, best, place) = (max(second, best), value, candidate.place)
        } else if value > second {
          second = value
        }
      }
      // A list's last column, still at no price, is as good as what lies elsewhere.
      guard place >= 0, best >= limit else { continue }
      prices[place] += (second.isFinite ? best - second : 0) + epsilon
      let owner = rowOfColumn[place]
      if owner >= 0 {
        columnOfRow[owner] = -1
        waiting.append(owner)
      }
      rowOfColumn[place] = row
      columnOfRow[row] = place
    }
  }

  /// What no matching exceeds: by the duality of linear programmes, the sum of all prices and of what each row can get
  /// at them.
  var upperBound: Double {
    candidates.indices.reduce(prices.reduce(0, +)) { sum, row in
      let listed = candidates[row].reduce(-Double.infinity) { max($0, Double($1.cosine) - prices[$1.place]) }
      return sum + max(listed, elsewhere(row) ?? -.infinity)
    }
  }
}
