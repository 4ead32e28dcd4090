import ArgumentParser
import Dictionaries
import Tensors
import Training

struct TrainBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Seconds of a training step (an SAE with d 640, width 16,384, L0 near 60).")

  @OptionGroup var options: BenchOptions
  @Option(help: "Tokens in a batch.") var batch = 4096
  @Option(help: "Length of an activation.") var d = 640
  @Option(help: "Features.") var width = 16_384
  @Option(help: "Active features per token.") var l0 = 60
  @Option(help: "Share of active features above which steps are dense; 2: never.") var denseAbove: Double?
  @Flag(help: "BatchTopK in place of JumpReLU.") var batchTopK = false

  func run() throws {
    let backend = try NativeBackend(threads: options.threads)
    let shape = try TrainingShape(kind: .sae, width: width, inputWidth: d, outputWidth: d)
    let state = try TrainingState(
      shape: shape, objective: TrainingObjective(activation: batchTopK ? .batchTopK : .jumpReLU),
      normalisation: .none(shape), backend: backend)
    if let denseAbove { state.denseAbove = denseAbove }
    try state.initialise(Initialisation(seed: 1, encoder: .decoder))
    // Uniform noise of unit mean square length.
    let scale = (3 / Float(d)).squareRoot()
    let activations = try Tensor(noise(batch * d).map { $0 * scale }, shape: [batch, d])
    let training = TrainingBatch(sae: activations)
    if !batchTopK { try state.calibrateThresholds(training, targetL0: Float(l0)) }
    // A rate of 0 keeps L0 where it is; the arithmetic is that of any step.
    let settings = StepSettings(learningRate: 0, sparsity: 0.001, targetL0: Float(l0), bandwidth: 0.001, k: l0)
    var report: StepReport?
    let seconds = try Measure.median(repeats: options.repeats) { report = try state.step(training, settings) }
    try options.report([
      "seconds_per_step": seconds, "tokens_per_second": Double(batch) / seconds, "l0": report?.l0 ?? 0,
      "pairs": Double(report?.pairs ?? 0),
    ])
  }
}
