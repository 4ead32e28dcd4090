import Gemma

/// The heaviest one-to-one matching of `rows` ≤ `columns`, every row in a pair.
///
/// Costs are c = −weight. Potentials u of rows and v of columns keep c − u − v ≥ 0, and = 0 on pairs; columns without a
/// row have v = 0, which makes rectangular problems optimal, too (Crouse 2016).
struct ShortestPaths {
  let rows: Int
  let columns: Int
  private(set) var columnOfRow: [Int]
  private var rowOfColumn: [Int]
  private var u: [Double]
  private var v: [Double]
  // Of the search for one row.
  private var distance: [Double]
  private var previous: [Int]
  private var scanned: [Int] = []
  private var remaining: [Int] = []

  init(rows: Int, columns: Int) {
    (self.rows, self.columns) = (rows, columns)
    columnOfRow = [Int](repeating: -1, count: rows)
    rowOfColumn = [Int](repeating: -1, count: columns)
    u = [Double](repeating: 0, count: rows)
    v = [Double](repeating: 0, count: columns)
    distance = [Double](repeating: .infinity, count: columns)
    previous = [Int](repeating: -1, count: columns)
  }

  mutating func solve(_ weights: [Float], check: CancellationCheck) throws {
    try weights.withUnsafeBufferPointer { weights in
      try reduceRows(weights, check: check)
      for row in 0..<rows where columnOfRow[row] >= 0 {
        u[row] = -Double(weights[row * columns + columnOfRow[row]]) - v[columnOfRow[row]]
      }
      for row in 0..<rows where columnOfRow[row] < 0 {
        try check()
        augment(along: row, weights)
      }
    }
  }

  /// Augmenting row reduction (Jonker & Volgenant 1987, section 4): rows without a column take their cheapest and raise
  /// its price up to where the second cheapest costs as much, sending away who had it. It is a few passes, after which
  /// few rows are left for the costly searches.
  private mutating func reduceRows(_ weights: UnsafeBufferPointer<Float>, check: CancellationCheck) throws {
    var free = Array(0..<rows)
    for _ in 0..<Self.reductions where !free.isEmpty {
      var next: [Int] = []
      for row in free {
        try check()
        var (first, second, place) = (Double.infinity, Double.infinity, -1)
        for column in 0..<columns {
          let cost = -Double(weights[row * columns + column]) - v[column]
          if cost < first {
            (second, first, place) = (first, cost, column)
          } else if cost < second {
            second = cost
          }
        }
        let owner = rowOfColumn[place]
        // Without a gap the price would stay and two rows send each other away.
        if owner >= 0, !(second > first) {
          next.append(row)
          continue
        }
        if owner >= 0 {
          columnOfRow[owner] = -1
          next.append(owner)
        }
        if second.isFinite { v[place] -= second - first }
        rowOfColumn[place] = row
        columnOfRow[row] = place
      }
      free = next
    }
  }

  private static let reductions = 4

  /// The shortest path from a row without a column to a column without a row, by Dijkstra's method over reduced costs;
  /// pairs along it are exchanged.
  private mutating func augment(along source: Int, _ weights: UnsafeBufferPointer<Float>) {
    for column in 0..<columns { distance[column] = .infinity }
    scanned.removeAll(keepingCapacity: true)
    remaining.removeAll(keepingCapacity: true)
    remaining.append(contentsOf: 0..<columns)
    var (row, reached, sink) = (source, 0.0, -1)
    while sink < 0 {
      var (nearest, at) = (Double.infinity, -1)
      let (offset, base) = (row * columns, reached - u[row])
      for index in 0..<remaining.count {
        let column = remaining[index]
        let through = base - Double(weights[offset + column]) - v[column]
        if through < distance[column] {
          distance[column] = through
          previous[column] = row
        }
        guard distance[column] <= nearest else { continue }
        if distance[column] < nearest || isBefore(column, at >= 0 ? remaining[at] : columns) {
          (nearest, at) = (distance[column], index)
        }
      }
      let column = remaining[at]
      remaining[at] = remaining[remaining.count - 1]
      remaining.removeLast()
      reached = nearest
      scanned.append(column)
      if rowOfColumn[column] < 0 { sink = column } else { row = rowOfColumn[column] }
    }
    // Columns scanned before the sink get cheaper for none: their rows and they move together.
    u[source] += reached
    for column in scanned where column != sink {
      u[rowOfColumn[column]] += reached - distance[column]
      v[column] -= reached - distance[column]
    }
    var column = sink
    while true {
      let row = previous[column]
      let freed = columnOfRow[row]
      rowOfColumn[column] = row
      columnOfRow[row] = column
      if row == source { break }
      column = freed
    }
  }

  /// Of equally near columns one without a row comes first, then the lower.
  private func isBefore(_ column: Int, _ other: Int) -> Bool {
    guard other < columns else { return true }
    let (free, otherFree) = (rowOfColumn[column] < 0, rowOfColumn[other] < 0)
    return free != otherFree ? free : column < other
  }
}
