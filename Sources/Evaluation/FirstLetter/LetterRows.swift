public import Tensors

/// What probes read: rows of numbers, dense (activations) or sparse (codes of a dictionary).
public enum LetterRows: Sendable {
  /// [rows, width], row after row.
  case dense([Float], width: Int)
  /// A code whose features are below `width`.
  case sparse(SparseCode, width: Int)

  /// Numbers of a row.
  public var width: Int {
    switch self {
    case .dense(_, let width), .sparse(_, let width): width
    }
  }

  /// How many rows there are.
  public var count: Int {
    switch self {
    case .dense(let values, let width): width == 0 ? 0 : values.count / width
    case .sparse(let code, _): code.rows
    }
  }

  /// - Throws: `EvaluationError.shape` where numbers do not fill whole rows or a feature lies beyond the width.
  func check(_ what: String) throws {
    switch self {
    case .dense(let values, let width):
      guard width > 0, values.count % width == 0 else {
        throw EvaluationError.shape(what: what, expected: "whole rows of \(width)", found: "\(values.count) numbers")
      }
    case .sparse(let code, let width):
      if let feature = code.features.first(where: { Int($0) >= width }) {
        throw EvaluationError.shape(what: what, expected: "features below \(width)", found: "\(feature)")
      }
    }
  }

  /// Rows `rows`, in that order.
  /// - Throws: `EvaluationError.shape` for a row that is not there.
  public func selecting(_ rows: [Int]) throws -> LetterRows {
    if let row = rows.first(where: { !(0..<count ~= $0) }) {
      throw EvaluationError.shape(what: "rows of probes", expected: "0..<\(count)", found: "\(row)")
    }
    switch self {
    case .dense(let values, let width):
      return .dense(rows.flatMap { values[$0 * width..<($0 + 1) * width] }, width: width)
    case .sparse(let code, let width):
      let ranges = rows.map(code.entries)
      let selected = try SparseCode(
        rowOffsets: ranges.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) },
        features: ranges.flatMap { code.features[$0] }, activations: ranges.flatMap { code.activations[$0] })
      return .sparse(selected, width: width)
    }
  }

  /// Every number times `factor`.
  func scaled(by factor: Double) throws -> LetterRows {
    func scaled(_ values: [Float]) -> [Float] { values.map { Float(Double($0) * factor) } }
    switch self {
    case .dense(let values, let width): return .dense(scaled(values), width: width)
    case .sparse(let code, let width):
      let code = try SparseCode(
        rowOffsets: code.rowOffsets, features: code.features, activations: scaled(code.activations))
      return .sparse(code, width: width)
    }
  }

  /// The columns `indices`, each of `count` numbers.
  package func columns(_ indices: [Int]) -> [[Double]] {
    switch self {
    case .dense(let values, let width):
      return indices.map { column in (0..<count).map { Double(values[$0 * width + column]) } }
    case .sparse(let code, _):
      var columns = [[Double]](repeating: [Double](repeating: 0, count: count), count: indices.count)
      let places = Dictionary(indices.enumerated().map { (Int32($0.element), $0.offset) }) { first, _ in first }
      for row in 0..<count {
        for entry in code.entries(ofRow: row) {
          if let place = places[code.features[entry]] { columns[place][row] = Double(code.activations[entry]) }
        }
      }
      return columns
    }
  }

  /// Calls `body` with the index and value of each number of row `row` that may differ from 0.
  @inline(__always)
  func forEach(inRow row: Int, _ body: (Int, Double) -> Void) {
    switch self {
    case .dense(let values, let width):
      for i in 0..<width { body(i, Double(values[row * width + i])) }
    case .sparse(let code, _):
      for entry in code.entries(ofRow: row) { body(Int(code.features[entry]), Double(code.activations[entry])) }
    }
  }
}
