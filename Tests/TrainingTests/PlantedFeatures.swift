import Dictionaries
import Foundation
import Tensors
import TestSupport
import Training

/// Sparse synthetic data with known features. Each source has `features` of them; a feature fires with probability
/// `rate` at a strength between 0.5 and 1.5, shows in its source's input along one direction and in every target that the
/// source may write along another (the same for SAEs and crosscoders, whose inputs are their targets). An affine kind's
/// targets also get its inputs times a matrix, and these inputs noise: without it the matrix could write what the
/// features do, and the features what the matrix does.
struct PlantedFeatures {
  let shape: TrainingShape
  let features: Int
  let rate: Double
  /// [source][feature][inputWidth].
  let reads: [[[Float]]]
  /// [source][feature][columns of the source], unit length jointly.
  let writes: [[[Float]]]
  /// [source][inputWidth · outputWidth], for affine kinds.
  let skips: [[Float]]
  /// Of the inputs of affine kinds: the standard deviation of each number.
  static let noise: Float = 0.25

  init(_ shape: TrainingShape, features: Int, rate: Double, seed: UInt64) {
    self.shape = shape
    self.features = features
    self.rate = rate
    var random = SeededRandom(seed: seed)
    func direction(_ count: Int) -> [Float] {
      let values = (0..<count).map { _ in
        (0..<6).reduce(Float(0)) { sum, _ in sum + random.float() }  // nearly normal
      }
      let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return values.map { $0 / length }
    }
    writes = (0..<shape.sources).map { source in
      (0..<features).map { _ in direction(shape.columns(ofSource: source).count) }
    }
    reads = (0..<shape.sources).map { _ in (0..<features).map { _ in direction(shape.inputWidth) } }
    skips =
      shape.isAffine
      ? (0..<shape.sources).map { _ in (0..<shape.inputWidth).flatMap { _ in direction(shape.outputWidth) } } : []
  }

  private var readsItsTargets: Bool { shape.kind == .sae || shape.kind == .crosscoder }

  func batch(_ tokens: Int, _ random: inout SeededRandom) throws -> TrainingBatch {
    let outputs = shape.outputWidth
    var inputs = [[Float]](repeating: .init(repeating: 0, count: tokens * shape.inputWidth), count: shape.sources)
    var targets = [[Float]](repeating: .init(repeating: 0, count: tokens * outputs), count: shape.writes)
    for token in 0..<tokens {
      for source in 0..<shape.sources {
        for feature in 0..<features where Double.random(in: 0..<1, using: &random) < rate {
          let strength = 1 + random.float() / 2
          for j in 0..<shape.inputWidth {
            inputs[source][token * shape.inputWidth + j] += strength * reads[source][feature][j]
          }
          for (place, value) in writes[source][feature].enumerated() {
            targets[shape.firstWrite(source) + place / outputs][token * outputs + place % outputs] += strength * value
          }
        }
        if shape.isAffine { addSkip(source, token, &inputs[source], &targets[shape.firstWrite(source)], &random) }
      }
    }
    let written = try targets.map { try Tensor($0, shape: [tokens, outputs]) }
    guard !readsItsTargets else { return TrainingBatch(inputs: written, targets: written) }
    return TrainingBatch(
      inputs: try inputs.map { try Tensor($0, shape: [tokens, shape.inputWidth]) }, targets: written)
  }

  /// Noise on a token's input, and what the input writes directly.
  private func addSkip(
    _ source: Int, _ token: Int, _ inputs: inout [Float], _ targets: inout [Float], _ random: inout SeededRandom
  ) {
    let (d, outputs) = (shape.inputWidth, shape.outputWidth)
    for i in 0..<d {
      inputs[token * d + i] += Float(3).squareRoot() * Self.noise * random.float()
      for j in 0..<outputs { targets[token * outputs + j] += inputs[token * d + i] * skips[source][i * outputs + j] }
    }
  }

  /// The mean over planted features of the largest cosine to a learned decoder row of the same source.
  func recovery(_ state: TrainingState) throws -> Double {
    let matches = try (0..<shape.sources).flatMap { try self.matches(state, $0).map(\.cosine) }
    return matches.reduce(0, +) / Double(shape.sources * features)
  }

  /// The mean over planted features of the cosine between where they are read and the encoder of the learned feature
  /// that writes most alike.
  func encoderRecovery(_ state: TrainingState) throws -> Double {
    var total = 0.0
    for source in 0..<shape.sources {
      let encoder = try state.tensors()["source.\(source).encoder.value"]?.read() ?? []
      for (planted, match) in zip(reads[source], try matches(state, source)) {
        let row = encoder[match.row * shape.inputWidth..<(match.row + 1) * shape.inputWidth]
        let dot = zip(planted, row).reduce(Float(0)) { $0 + $1.0 * $1.1 }
        total += Double(dot / row.reduce(0) { $0 + $1 * $1 }.squareRoot())
      }
    }
    return total / Double(shape.sources * features)
  }

  /// ‖learned − planted‖ / ‖planted‖ of the skip matrices, in the data's units.
  func skipError(_ state: TrainingState) throws -> Double {
    var (error, length) = (0.0, 0.0)
    for (source, planted) in skips.enumerated() {
      let learned = try state.tensors()["skip.\(source).value"]?.read() ?? []
      let write = shape.firstWrite(source)
      let scale = state.normalisation.targets[write] / state.normalisation.inputs[source]
      for (own, wanted) in zip(learned, planted) {
        error += Double((own * scale - wanted) * (own * scale - wanted))
        length += Double(wanted * wanted)
      }
    }
    return (error / length).squareRoot()
  }

  /// For each planted feature of a source the learned row that writes most alike.
  private func matches(_ state: TrainingState, _ source: Int) throws -> [(row: Int, cosine: Double)] {
    let rows = try state.tensors()["source.\(source).decoder.value"]?.read() ?? []
    let length = shape.columns(ofSource: source).count
    return writes[source].map { planted in
      var best: (row: Int, cosine: Float) = (0, 0)
      for row in 0..<rows.count / length {
        var dot: Float = 0
        for (j, value) in planted.enumerated() { dot += value * rows[row * length + j] }
        if dot > best.cosine { best = (row, dot) }
      }
      return (best.row, Double(best.cosine))
    }
  }
}
