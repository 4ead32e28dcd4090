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
  /// The sums of one sequence, or of one bucket of positions: a code's active pairs for each read, and each write.
  private struct Sums: Sendable {
    var active: [Int]
    var writes: [ReconstructionSums]

    init(_ shape: DictionaryShape) {
      active = shape.reads.map { _ in 0 }
      writes = shape.writes.map { _ in ReconstructionSums(width: shape.outputWidth) }
    }

    var tokens: Int { writes.first?.tokens ?? 0 }
  }

  public let shape: DictionaryShape
  private var sequences: [Sums] = []
  private var buckets: [Sums] = []
  /// For each write the first row counted.
  private var origins: [[Float]] = []

  public init(_ shape: DictionaryShape) { self.shape = shape }

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
    var sums = Sums(shape)
    for row in rows {
      let bucket = PositionBuckets.bucket(row)
      while buckets.count <= bucket { buckets.append(Sums(shape)) }
      for (read, layer) in code.layers.enumerated() {
        let count = layer.entries(ofRow: row).count
        sums.active[read] += count
        buckets[bucket].active[read] += count
      }
    }
    for write in shape.writes.indices {
      let (x, reconstruction) = (try targets[write].read(), try outputs[write].read())
      if origins.count == write { origins.append(Array(x[rows[0] * width..<(rows[0] + 1) * width])) }
      var perBucket: [Int: ReconstructionSums] = [:]
      for row in rows {
        perBucket[PositionBuckets.bucket(row), default: ReconstructionSums(width: width)].add(
          x, reconstruction, origin: origins[write], row: row)
      }
      for (bucket, part) in perBucket.sorted(by: { $0.key < $1.key }) {
        sums.writes[write].add(part)
        buckets[bucket].writes[write].add(part)
      }
    }
    sequences.append(sums)
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
    let counts = sequences.map { Double($0.tokens) }
    let byRead = shape.reads.indices.map { read in
      Estimate(sequences.map { Double($0.active[read]) }, per: counts)
    }
    let means = shape.writes.indices.map { write in
      var all = ReconstructionSums(width: shape.outputWidth)
      for sequence in sequences { all.add(sequence.writes[write]) }
      return all.meanShift
    }
    return ReconstructionMetrics(
      tokens: sequences.reduce(0) { $0 + $1.tokens }, sequences: sequences.count,
      l0: Estimate(sequences.map { Double($0.active.reduce(0, +)) }, per: counts), l0ByRead: byRead,
      total: figures(shape.writes.indices, means),
      sites: shape.writes.indices.map { (shape.writes[$0], figures($0..<$0 + 1, means)) },
      positions: buckets.indices.compactMap { position($0, means) })
  }

  /// The figures of some writes together.
  private func figures(_ writes: Range<Int>, _ means: [[Double]]) -> ReconstructionMetrics.Figures {
    func sums(_ value: (ReconstructionSums, Int) -> Double) -> [Double] {
      sequences.map { sequence in writes.reduce(0) { $0 + value(sequence.writes[$1], $1) } }
    }
    let errors = sums { part, _ in part.errors }
    let variances = sums { $0.variance(about: means[$1]) }
    let directed = sums { part, _ in Double(part.directed) }
    let constant = variances.reduce(0, +) <= 0
    let none = Estimate(nil)
    return ReconstructionMetrics.Figures(
      mse: Estimate(errors, per: sequences.map { Double($0.tokens * writes.count) }),
      fvu: constant ? none : Estimate(errors, per: variances),
      explainedVariance: constant ? none : Estimate(errors.map { -$0 }, per: variances, offset: 1),
      cosine: Estimate(sums { part, _ in part.cosines }, per: directed),
      reconstructionBias: Estimate(sums { part, _ in part.outputs }, per: sums { part, _ in part.products }),
      normRatio: Estimate(sums { part, _ in part.ratios }, per: directed))
  }

  private func position(_ bucket: Int, _ means: [[Double]]) -> ReconstructionMetrics.Position? {
    let sums = buckets[bucket]
    guard sums.tokens > 0 else { return nil }
    let errors = sums.writes.reduce(0) { $0 + $1.errors }
    let variance = shape.writes.indices.reduce(0) { $0 + sums.writes[$1].variance(about: means[$1]) }
    let tokens = Double(sums.tokens)
    return ReconstructionMetrics.Position(
      positions: PositionBuckets.positions(of: bucket), tokens: sums.tokens,
      l0: Estimate(Double(sums.active.reduce(0, +)) / tokens), fvu: Estimate(variance > 0 ? errors / variance : nil),
      mse: Estimate(errors / tokens / Double(shape.writes.count)))
  }
}
