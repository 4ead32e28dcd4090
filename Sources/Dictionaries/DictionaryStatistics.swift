public import Tensors

/// How sparse a code is and how much of its target the reconstruction misses, over the tokens that count.
///
/// Special tokens (BOS, padding, turn marks) are left out by the caller: dictionaries are not trained on them, and the
/// activations at BOS are so large that they would be most of any sum.
public struct DictionaryStatistics: Sendable, Equatable {
  /// Tokens counted.
  public let tokens: Int
  /// Mean active features a token, summed over the layers read; nil without tokens.
  public let l0: Double?
  /// Fraction of variance unexplained over all writes: Σ‖y − ŷ‖² / Σ‖y − ȳ‖², where ȳ is the mean of `y` over the
  /// tokens counted (for each write its own). Nil where the variance is zero: fewer than two tokens, or constant
  /// activations.
  public let fvu: Double?
  /// The same for each write alone.
  public let fvuByWrite: [Double?]

  /// Collects tokens of any number of texts; means are then over all of them.
  public struct Accumulator: Sendable {
    private var tokens = 0
    private var active = 0
    private var writes: [Variance]

    /// - Parameter shape: of the dictionary measured.
    public init(_ shape: DictionaryShape) {
      writes = shape.writes.map { _ in Variance(width: shape.outputWidth) }
    }

    /// Adds the tokens `rows` of one text.
    /// - Parameters:
    ///   - targets: what the dictionary should write, [tokens, outputWidth] for each write.
    ///   - outputs: what it wrote, alike.
    /// - Throws: `DictionaryError.input`, `.outOfRange`, or the device's error.
    public mutating func add(_ code: DictionaryCode, targets: [Tensor], outputs: [Tensor], rows: [Int]) throws {
      guard targets.count == writes.count, outputs.count == writes.count else {
        throw DictionaryError.input(
          operation: "statistics", expected: "\(writes.count) targets and outputs",
          found: "\(targets.count) and \(outputs.count)")
      }
      if let row = rows.first(where: { !(0..<code.rows ~= $0) }) {
        throw DictionaryError.outOfRange(what: "token", value: row, limit: code.rows)
      }
      for write in writes.indices {
        try writes[write].add(target: targets[write], output: outputs[write], tokens: code.rows, rows: rows)
      }
      tokens += rows.count
      active += rows.reduce(0) { $0 + code.activeCount(inRow: $1) }
    }

    /// The figures over everything added so far.
    public var statistics: DictionaryStatistics {
      let residual = writes.reduce(0) { $0 + $1.residual }
      let variance = writes.reduce(0) { $0 + $1.variance }
      return DictionaryStatistics(
        tokens: tokens, l0: tokens > 0 ? Double(active) / Double(tokens) : nil,
        fvu: variance > 0 ? residual / variance : nil, fvuByWrite: writes.map(\.fvu))
    }
  }

  /// The figures of one text: see `Accumulator.add`.
  /// - Throws: `DictionaryError.input`, `.outOfRange`, or the device's error.
  public static func measure(
    _ shape: DictionaryShape, code: DictionaryCode, targets: [Tensor], outputs: [Tensor], rows: [Int]
  ) throws -> DictionaryStatistics {
    var accumulator = Accumulator(shape)
    try accumulator.add(code, targets: targets, outputs: outputs, rows: rows)
    return accumulator.statistics
  }
}

/// Squared error, and squared distance from the mean, of one write, in fp64.
private struct Variance: Sendable {
  let width: Int
  private var count = 0
  /// The first row: differences from it keep Σx² − (Σx)²/n from cancelling, and make it exactly 0 for equal rows.
  private var origin: [Float] = []
  private var sums: [Double]
  private var squares = 0.0
  private(set) var residual = 0.0

  init(width: Int) {
    self.width = width
    sums = [Double](repeating: 0, count: width)
  }

  /// Σ‖y − ȳ‖².
  var variance: Double {
    guard count > 1 else { return 0 }
    return max(0, squares - sums.reduce(0) { $0 + $1 * $1 } / Double(count))
  }

  var fvu: Double? { variance > 0 ? residual / variance : nil }

  mutating func add(target: Tensor, output: Tensor, tokens: Int, rows: [Int]) throws {
    for tensor in [target, output] where tensor.shape != [tokens, width] {
      throw DictionaryError.input(
        operation: "statistics", expected: "[\(tokens), \(width)]", found: "\(tensor.shape)")
    }
    let y = try target.read()
    let z = try output.read()
    for row in rows {
      let start = row * width
      if count == 0 { origin = Array(y[start..<start + width]) }
      count += 1
      for i in 0..<width {
        let difference = Double(y[start + i]) - Double(origin[i])
        let error = Double(y[start + i]) - Double(z[start + i])
        sums[i] += difference
        squares += difference * difference
        residual += error * error
      }
    }
  }
}
