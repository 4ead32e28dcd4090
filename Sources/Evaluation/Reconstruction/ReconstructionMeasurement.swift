public import Dictionaries
import Sites
public import Tensors

/// Collects sequences and tells how well a dictionary reconstructs them.
///
/// ```swift
/// var measurement = ReconstructionMeasurement(dictionary.shape)
/// for sequence in sequences { try measurement.add(code, targets: targets, outputs: outputs, rows: counted) }
/// print(measurement.metrics.total.fvu.value)
/// ```
public struct ReconstructionMeasurement: Sendable {
  /// The sums of one bucket of a sequence's positions, or of several: a code's active pairs for each read, and each write.
  private struct Sums: Sendable {
    var active: [Int]
    var writes: [ReconstructionSums]

    init(_ shape: DictionaryShape) {
      active = shape.reads.map { _ in 0 }
      writes = shape.writes.map { _ in ReconstructionSums(width: shape.outputWidth) }
    }

    var tokens: Int { writes.first?.tokens ?? 0 }

    mutating func add(_ other: Sums) {
      for read in active.indices { active[read] += other.active[read] }
      for write in writes.indices { writes[write].add(other.writes[write]) }
    }
  }

  /// A sequence as buckets of its positions, ascending; those without a token are left out.
  private typealias Parts = [(bucket: Int, sums: Sums)]

  public let shape: DictionaryShape
  /// Whether figures by position are wanted: they need sums of every bucket of every sequence.
  private let isByPosition: Bool
  private var sequences: [Parts] = []
  /// For each write the first row counted.
  private var origins: [[Float]] = []

  /// - Parameter byPosition: whether there are to be figures by position.
  public init(_ shape: DictionaryShape, byPosition: Bool = true) {
    self.shape = shape
    isByPosition = byPosition
  }

  /// Adds a sequence.
  /// - Parameters:
  ///   - targets: what the dictionary should write, [tokens, outputWidth] for each write.
  ///   - outputs: what it wrote, alike.
  ///   - rows: tokens that count, as their positions in the sequence.
  /// - Throws: `EvaluationError.shape`, the device's error.
  public mutating func add(_ code: DictionaryCode, targets: [Tensor], outputs: [Tensor], rows: [Int]) throws {
    try check(code, targets, outputs, rows)
    guard !rows.isEmpty else { return }
    let width = shape.outputWidth
    var parts: [Int: Sums] = [:]
    for (bucket, rows) in Dictionary(grouping: rows, by: { isByPosition ? PositionBuckets.bucket($0) : 0 }) {
      var sums = Sums(shape)
      for (read, layer) in code.layers.enumerated() {
        for row in rows { sums.active[read] += layer.entries(ofRow: row).count }
      }
      parts[bucket] = sums
    }
    for write in shape.writes.indices {
      let (x, reconstruction) = (try targets[write].read(), try outputs[write].read())
      if origins.count == write { origins.append(Array(x[rows[0] * width..<(rows[0] + 1) * width])) }
      for row in rows {
        parts[isByPosition ? PositionBuckets.bucket(row) : 0]?.writes[write].add(
          x, reconstruction, origin: origins[write], row: row)
      }
    }
    sequences.append(parts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
  }

  private func check(
    _ code: DictionaryCode, _ targets: [Tensor], _ outputs: [Tensor], _ rows: [Int]
  ) throws {
    guard code.layers.count == shape.reads.count, targets.count == shape.writes.count, outputs.count == targets.count
    else {
      throw EvaluationError.shape(
        what: "reconstruction",
        expected: "a code of \(shape.reads.count) reads, \(shape.writes.count) targets and outputs",
        found: "\(code.layers.count), \(targets.count) and \(outputs.count)")
    }
    for tensor in targets + outputs where tensor.shape != [code.rows, shape.outputWidth] {
      throw EvaluationError.shape(
        what: "reconstruction", expected: "[\(code.rows), \(shape.outputWidth)]", found: "\(tensor.shape)")
    }
    if let row = rows.first(where: { !(0..<code.rows ~= $0) }) {
      throw EvaluationError.shape(
        what: "reconstruction", expected: "rows below \(code.rows)", found: "row \(row)")
    }
  }

  /// The figures over everything added so far.
  public var metrics: ReconstructionMetrics {
    let wholes = sequences.map { sequence in
      sequence.reduce(into: Sums(shape)) { $0.add($1.sums) }
    }
    let counts = wholes.map { Double($0.tokens) }
    let byRead = shape.reads.indices.map { read in
      Estimate(wholes.map { Double($0.active[read]) }, per: counts)
    }
    let means = shape.writes.indices.map { write in
      var all = ReconstructionSums(width: shape.outputWidth)
      for sequence in wholes { all.add(sequence.writes[write]) }
      return all.meanShift
    }
    let buckets = isByPosition ? Set(sequences.joined().map(\.bucket)).sorted() : []
    return ReconstructionMetrics(
      tokens: wholes.reduce(0) { $0 + $1.tokens }, sequences: wholes.count, l0: Self.l0(wholes), l0ByRead: byRead,
      total: figures(wholes, shape.writes.indices, means),
      sites: shape.writes.indices.map { (shape.writes[$0], figures(wholes, $0..<$0 + 1, means)) },
      positions: buckets.map { bucket in
        // Sequences that are too short have no part in the bucket, nor in its intervals.
        let parts = sequences.compactMap { sequence in sequence.first { $0.bucket == bucket }?.sums }
        return ReconstructionMetrics.Position(
          positions: PositionBuckets.positions(of: bucket), tokens: parts.reduce(0) { $0 + $1.tokens },
          l0: Self.l0(parts), figures: figures(parts, shape.writes.indices, means))
      })
  }

  private static func l0(_ parts: [Sums]) -> Estimate {
    Estimate(parts.map { Double($0.active.reduce(0, +)) }, per: parts.map { Double($0.tokens) })
  }

  /// The figures of some writes together, `parts` being of a sequence each.
  private func figures(
    _ parts: [Sums], _ writes: Range<Int>, _ means: [[Double]]
  ) -> ReconstructionMetrics.Figures {
    func sums(_ value: (ReconstructionSums, Int) -> Double) -> [Double] {
      parts.map { part in writes.reduce(0) { $0 + value(part.writes[$1], $1) } }
    }
    let errors = sums { part, _ in part.errors }
    let variances = sums { $0.variance(about: means[$1]) }
    let directed = sums { part, _ in Double(part.directed) }
    let constant = variances.reduce(0, +) <= 0
    let none = Estimate(nil)
    return ReconstructionMetrics.Figures(
      mse: Estimate(errors, per: parts.map { Double($0.tokens * writes.count) }),
      fvu: constant ? none : Estimate(errors, per: variances),
      explainedVariance: constant ? none : Estimate(errors.map { -$0 }, per: variances, offset: 1),
      cosine: Estimate(sums { part, _ in part.cosines }, per: directed),
      reconstructionBias: Estimate(sums { part, _ in part.outputs }, per: sums { part, _ in part.products }),
      normRatio: Estimate(sums { part, _ in part.ratios }, per: directed))
  }
}
