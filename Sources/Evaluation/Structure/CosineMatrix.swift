public import Gemma
public import Tensors

/// Cosines of every row of one set with every row of another, made tile by tile: the whole, [a, b], is never in memory.
///
/// Cosines are signed: a feature of a JumpReLU dictionary has a direction, not an axis.
public struct CosineMatrix: Sendable {
  public let a: UnitRows
  public let b: UnitRows
  public let backend: any Backend

  /// Rows and columns of a tile: 16 MB.
  private static let tile = (rows: 512, columns: 8192)

  /// A row of the other set and the cosine with it.
  public struct Neighbour: Equatable, Sendable {
    /// Its place there, from 0.
    public let place: Int
    /// In −1 … 1.
    public let cosine: Float
  }

  /// The nearest rows of each side.
  public struct Extremes: Equatable, Sendable {
    /// For each row of `a` its nearest of `b`, of equally near ones the first; nil where there is none.
    public let ofA: [Neighbour?]
    /// For each row of `b` its nearest of `a`, alike.
    public let ofB: [Neighbour?]
  }

  /// - Throws: `EvaluationError.shape` for rows of different length.
  public init(_ a: UnitRows, _ b: UnitRows, backend: any Backend) throws {
    guard a.width == b.width else {
      throw EvaluationError.shape(what: "cosines", expected: "rows of \(a.width) numbers", found: "\(b.width)")
    }
    (self.a, self.b, self.backend) = (a, b, backend)
  }

  /// Goes through all cosines: rows of `a`, rows of `b`, and [those, those] of them, rows ascending and columns
  /// ascending within these.
  /// - Parameter check: called before each tile.
  /// - Throws: `TensorError`, what `check` and `body` throw.
  /// - Complexity: a · b · width multiplications.
  public func forEachTile(
    check: CancellationCheck = {}, _ body: (_ rows: Range<Int>, _ columns: Range<Int>, _ cosines: Tensor) throws -> Void
  ) throws {
    let (left, right) = (try backend.upload(a.unit), try backend.upload(b.unit))
    for row in stride(from: 0, to: a.count, by: Self.tile.rows) {
      let rows = row..<min(row + Self.tile.rows, a.count)
      let x = try left.rows(rows)
      for column in stride(from: 0, to: b.count, by: Self.tile.columns) {
        try check()
        let columns = column..<min(column + Self.tile.columns, b.count)
        try body(rows, columns, try backend.linear(x, try right.rows(columns)))
      }
    }
  }

  /// Nearest rows of both sides.
  /// - Parameter leavingOutSamePlace: for a set compared with itself, where each row is nearest to itself.
  /// - Throws: `TensorError`, what `check` throws.
  public func extremes(leavingOutSamePlace: Bool = false, check: CancellationCheck = {}) throws -> Extremes {
    var (ofA, ofB) = ([Neighbour?](repeating: nil, count: a.count), [Neighbour?](repeating: nil, count: b.count))
    var bestOfB = [Float](repeating: -.infinity, count: b.count)
    var placeOfB = [Int](repeating: 0, count: b.count)
    var bestOfA = [Float](repeating: -.infinity, count: a.count)
    try forEachTile(check: check) { rows, columns, tile in
      try tile.read().withUnsafeBufferPointer { cosines in
        for row in rows {
          let start = (row - rows.lowerBound) * columns.count
          var (best, place) = (bestOfA[row], -1)
          for column in columns where !(leavingOutSamePlace && column == row) {
            let cosine = cosines[start + column - columns.lowerBound]
            if cosine > best { (best, place) = (cosine, column) }
            if cosine > bestOfB[column] { (bestOfB[column], placeOfB[column]) = (cosine, row) }
          }
          bestOfA[row] = best
          if place >= 0 { ofA[row] = Neighbour(place: place, cosine: Self.clamped(best)) }
        }
      }
    }
    for column in ofB.indices where bestOfB[column] > -.infinity {
      ofB[column] = Neighbour(place: placeOfB[column], cosine: Self.clamped(bestOfB[column]))
    }
    return Extremes(ofA: ofA, ofB: ofB)
  }

  /// For each row of `a` its `k` nearest of `b` (all when there are fewer), nearest first, equally near ones in order.
  /// - Throws: `TensorError`, what `check` throws.
  public func nearest(_ k: Int, check: CancellationCheck = {}) throws -> [[Neighbour]] {
    var found = [[Neighbour]](repeating: [], count: a.count)
    guard k > 0 else { return found }
    try forEachTile(check: check) { rows, columns, tile in
      for (row, best) in zip(rows, try backend.topK(tile, min(k, columns.count))) {
        let new = best.map { Neighbour(place: columns.lowerBound + $0.index, cosine: Self.clamped($0.value)) }
        guard !found[row].isEmpty else {
          found[row] = new
          continue
        }
        let all = (found[row] + new).sorted { ($1.cosine, $0.place) < ($0.cosine, $1.place) }
        found[row] = Array(all.prefix(k))
      }
    }
    return found
  }

  /// All cosines, [a, b] row by row. For sets small enough to hold them.
  /// - Throws: `TensorError`, what `check` throws.
  public func all(check: CancellationCheck = {}) throws -> [Float] {
    var cosines = [Float](repeating: 0, count: a.count * b.count)
    try forEachTile(check: check) { rows, columns, tile in
      let values = try tile.read()
      for row in rows {
        let (from, to) = ((row - rows.lowerBound) * columns.count, row * b.count)
        for column in columns { cosines[to + column] = Self.clamped(values[from + column - columns.lowerBound]) }
      }
    }
    return cosines
  }

  /// The cosines of some pairs, in fp64.
  func cosines(of pairs: [(a: Int, b: Int)]) throws -> [Double] {
    let (left, right, width) = (try a.unit.read(), try b.unit.read(), a.width)
    return pairs.map { pair in
      var sum = 0.0
      for i in 0..<width { sum += Double(left[pair.a * width + i]) * Double(right[pair.b * width + i]) }
      return min(max(sum, -1), 1)
    }
  }

  /// Rounding leaves cosines of equal rows a little off 1.
  private static func clamped(_ cosine: Float) -> Float { min(max(cosine, -1), 1) }
}
