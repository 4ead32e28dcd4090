public import Gemma
import Tensors

extension CosineMatrix {
  /// The one-to-one matching of the largest total cosine: exact while neither side has more than `exactLimit` rows (its
  /// square times four is the memory it takes), otherwise an auction on each row's `candidates` nearest with ε = 10⁻⁴,
  /// and greedily for the rows that these do not serve.
  /// - Parameter check: called often; throws to stop.
  /// - Throws: `EvaluationError.shape`, `TensorError`, what `check` throws.
  public func matching(
    exactLimit: Int = 4096, candidates: Int = 64, check: CancellationCheck = {}
  ) throws -> Assignment {
    guard candidates > 0 else {
      throw EvaluationError.shape(what: "matching", expected: "at least one candidate a row", found: "\(candidates)")
    }
    if max(a.count, b.count) <= exactLimit {
      return try Assignment.exact(all(check: check), rows: a.count, columns: b.count, check: check)
    }
    guard a.count <= b.count else {
      return try CosineMatrix(b, a, backend: backend)
        .matching(exactLimit: exactLimit, candidates: candidates, check: check).transposed(columns: a.count)
    }
    var auction = Auction(
      columns: b.count, candidates: try nearest(candidates, check: check), epsilon: Self.epsilon)
    try auction.run(check: check)
    let columns = try greedy(auction.columnOfRow, candidates: candidates, check: check)
    let total = try cosines(of: columns.enumerated().map { ($0.offset, $0.element) }).reduce(0, +)
    return Assignment(method: .auction, columns: columns, total: total, upperBound: auction.upperBound)
  }

  private static let epsilon = 1e-4

  /// Gives rows without a column (−1) one that is left, the largest cosines first.
  ///
  /// A round looks at each row's nearest columns that are left. A row is served in it unless others take all of these,
  /// so each round serves at least as many rows as there are candidates.
  private func greedy(_ start: [Int], candidates: Int, check: CancellationCheck) throws -> [Int] {
    var columns = start
    var taken = [Bool](repeating: false, count: b.count)
    for column in start where column >= 0 { taken[column] = true }
    var waiting = columns.indices.filter { columns[$0] < 0 }
    while !waiting.isEmpty {
      let free = taken.indices.filter { !taken[$0] }
      let rest = try CosineMatrix(
        a.selecting(waiting, on: backend), b.selecting(free, on: backend), backend: backend)
      let offers = try rest.nearest(candidates, check: check).enumerated().flatMap { row, nearest in
        nearest.map { (row: waiting[row], column: free[$0.place], cosine: $0.cosine) }
      }.sorted { ($1.cosine, $0.row, $0.column) < ($0.cosine, $1.row, $1.column) }
      for offer in offers where columns[offer.row] < 0 && !taken[offer.column] {
        columns[offer.row] = offer.column
        taken[offer.column] = true
      }
      waiting = waiting.filter { columns[$0] < 0 }
    }
    return columns
  }
}
