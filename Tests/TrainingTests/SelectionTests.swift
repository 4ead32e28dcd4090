import Dictionaries
import Tensors
import TestSupport
import Testing
import Training

@Suite struct SelectionTests {
  /// BatchTopK finds the k · batch largest however its guesses go: the rows that are looked at first may be stronger or
  /// weaker than the others, and what the last step had may be of no use.
  @Test(.timeLimit(.minutes(1)), arguments: [(100, 1), (1, 100), (1, 1)] as [(Float, Float)])
  func batchTopKWithRowsOfDifferentStrength(first: Float, rest: Float) throws {
    var random = SeededRandom(seed: 8)
    let (tokens, width, d, k) = (1024, 48, 12, 5)
    let shape = try TrainingShape(kind: .sae, sources: 1, width: width, inputWidth: d, outputWidth: d)
    let state = try TrainingState(
      shape: shape, objective: TrainingObjective(activation: .batchTopK), normalisation: .none(shape),
      backend: NativeBackend(threads: 2))
    try state.initialise(.init(seed: 3, encoder: .decoder))
    for step in 0..<3 {
      let strengths = step == 1 ? (rest, first) : (first, rest)
      let rows = (0..<tokens).flatMap { random.floats(d, scale: $0 < tokens / 2 ? strengths.0 : strengths.1) }
      let x = try Tensor(rows, shape: [tokens, d])
      let report = try state.step(
        TrainingBatch(inputs: [x], targets: [x]), StepSettings(learningRate: 1e-4, k: k))
      #expect(report.pairs == k * tokens && report.l0 == Double(k))
    }
  }
}
