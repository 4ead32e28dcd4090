import Dictionaries
import Foundation
import Tensors
import TestSupport
import Testing
import Training

/// Training finds the features that made the data.
@Suite struct PlantedTests {
  struct Case: CustomStringConvertible {
    var kind: DictionaryKind
    var activation: TrainingObjective.Activation
    var steps = 1500
    var description: String { "\(kind) \(activation)" }
  }

  @Test(arguments: [
    Case(kind: .sae, activation: .batchTopK), Case(kind: .sae, activation: .jumpReLU),
    Case(kind: .sae, activation: .topK), Case(kind: .transcoder, activation: .batchTopK),
    Case(kind: .transcoder, activation: .jumpReLU), Case(kind: .crosscoder, activation: .batchTopK),
    Case(kind: .crosscoder, activation: .jumpReLU), Case(kind: .clt, activation: .batchTopK),
    Case(kind: .clt, activation: .jumpReLU),
  ]) func recovery(test: Case) throws {
    let multi = test.kind.isMultiLayer
    let shape = try TrainingShape(
      kind: test.kind, sources: multi ? 2 : 1, width: multi ? 40 : 64, inputWidth: 20,
      outputWidth: test.kind == .transcoder ? 24 : 20)
    let (features, rate) = (multi ? 16 : 32, multi ? 0.06 : 0.06)
    let planted = PlantedFeatures(shape, features: features, rate: rate, seed: 5)
    let targetL0 = Float(Double(features * shape.sources) * rate)
    var random = SeededRandom(seed: 6)
    let first = try planted.batch(1024, &random)
    let state = try TrainingState(
      shape: shape,
      objective: TrainingObjective(
        activation: test.activation, auxK: .init(k: 4, coefficient: 1.0 / 32, deadAfterTokens: 5_000)),
      normalisation: try Normalisation(measuring: first.inputs, targets: first.targets),
      backend: NativeBackend(threads: 2))
    try state.initialise(
      Initialisation(seed: 7, encoder: test.kind == .sae || test.kind == .crosscoder ? .decoder : .independent))
    try state.calibrateThresholds(first, targetL0: 2 * targetL0)
    var report: StepReport?
    for step in 0..<test.steps {
      let progress = Float(step) / Float(test.steps)
      report = try state.step(
        planted.batch(256, &random),
        StepSettings(
          learningRate: 0.01 * min(1, 2 * (1 - progress)), sparsity: 0.01 * min(1, progress * 3), targetL0: targetL0,
          bandwidth: 0.05, k: Int(targetL0.rounded(.up))))
    }
    let recovery = try planted.recovery(state)
    #expect(recovery >= 0.95, "\(test): mean max cosine \(recovery), \(String(describing: report))")
  }

  /// A transcoder with a skip tells what is written by features from what is written directly.
  @Test func affineRecovery() throws {
    let shape = try TrainingShape(kind: .transcoder, width: 32, inputWidth: 32, outputWidth: 24, isAffine: true)
    let planted = PlantedFeatures(shape, features: 16, rate: 0.08, seed: 5)
    var random = SeededRandom(seed: 6)
    let first = try planted.batch(1024, &random)
    let state = try TrainingState(
      shape: shape,
      objective: TrainingObjective(
        activation: .batchTopK, auxK: .init(k: 4, coefficient: 1.0 / 32, deadAfterTokens: 5_000)),
      normalisation: try Normalisation(measuring: first.inputs, targets: first.targets),
      backend: NativeBackend(threads: 2))
    try state.initialise(Initialisation(seed: 7, encoder: .independent))
    for step in 0..<3000 {
      let rate = 0.005 * min(1, 2 * (1 - Float(step) / 3000))
      _ = try state.step(planted.batch(256, &random), StepSettings(learningRate: rate, k: 2))
    }
    let (decoder, encoder) = (try planted.recovery(state), try planted.encoderRecovery(state))
    #expect(decoder >= 0.95, "mean max cosine of decoder rows \(decoder)")
    #expect(encoder >= 0.9, "mean cosine of their encoder directions \(encoder)")
    let skip = try planted.skipError(state)
    #expect(skip <= 0.1, "skip off by \(skip)")
  }
}
