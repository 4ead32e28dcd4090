import Dictionaries
import Foundation
import Tensors
import TestSupport
import Training

/// Sparse synthetic data with known features. Each source has `features` of them; a feature fires with probability
/// `rate` at a strength between 0.5 and 1.5, shows in its source's input along one direction and in every target that the
/// source may write along another (the same for SAEs and crosscoders, whose inputs are their targets).
struct PlantedFeatures {
  let shape: TrainingShape
  let features: Int
  let rate: Double
  /// [source][feature][inputWidth].
  let reads: [[[Float]]]
  /// [source][feature][columns of the source], unit length jointly.
  let writes: [[[Float]]]

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
      }
    }
    let written = try targets.map { try Tensor($0, shape: [tokens, outputs]) }
    guard !readsItsTargets else { return TrainingBatch(inputs: written, targets: written) }
    return TrainingBatch(
      inputs: try inputs.map { try Tensor($0, shape: [tokens, shape.inputWidth]) }, targets: written)
  }

  /// The mean over planted features of the largest cosine to a learned decoder row of the same source.
  func recovery(_ state: TrainingState) throws -> Double {
    let tensors = try state.tensors()
    var total = 0.0
    for source in 0..<shape.sources {
      let rows = try tensors["source.\(source).decoder.value"]?.read() ?? []
      let length = shape.columns(ofSource: source).count
      for planted in writes[source] {
        var best: Float = 0
        for start in stride(from: 0, to: rows.count, by: length) {
          var dot: Float = 0
          for (j, value) in planted.enumerated() { dot += value * rows[start + j] }
          best = max(best, dot)
        }
        total += Double(best)
      }
    }
    return total / Double(shape.sources * features)
  }
}
