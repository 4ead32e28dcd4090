import Checkpoints
public import Dictionaries
public import Foundation
import Tensors

/// One dictionary to be trained.
public struct TrainingJob {
  public let name: String
  public let recipe: Recipe
  public let shape: DictionaryShape
  /// Where its `metrics.jsonl` and, in the end, its files go.
  public let folder: URL
  /// What it goes on from instead of random directions.
  public let start: DictionaryParameters?

  public init(
    name: String, recipe: Recipe, shape: DictionaryShape, folder: URL, start: DictionaryParameters? = nil
  ) {
    self.name = name
    self.recipe = recipe
    self.shape = shape
    self.folder = folder
    self.start = start
  }
}

/// A job under way.
final class Trainee {
  let job: TrainingJob
  let state: TrainingState
  /// Nil on ranks other than the root.
  let log: MetricsLog?
  private let reducer: any StepReducer
  /// Batches of the current window used so far.
  var used: Int
  var sums: MetricsSums
  private(set) var watch: DivergenceWatch
  private let inputs: [Int]
  private let targets: [Int]

  /// - Parameter sites: the places of the job's sites among the tensors of a window.
  init(
    job: TrainingJob, state: TrainingState, log: MetricsLog?, reducer: any StepReducer, inputs: [Int], targets: [Int],
    used: Int = 0, sums: MetricsSums = MetricsSums(), watch: DivergenceWatch = DivergenceWatch()
  ) {
    self.job = job
    self.state = state
    self.log = log
    self.reducer = reducer
    self.inputs = inputs
    self.targets = targets
    self.used = used
    self.sums = sums
    self.watch = watch
  }

  var recipe: Recipe { job.recipe }
  var isDone: Bool { state.steps >= recipe.steps }

  /// Batches that a window of `count` rows has: each pass leaves out what does not fill one, unless nothing would be left.
  func batches(in count: Int) -> Int { max(1, count / recipe.batch) * recipe.repeats }

  /// The settings of the next step.
  var settings: StepSettings {
    let step = state.steps
    let sparsity = recipe.sparsities(step)
    let ramp = recipe.sparsity.coefficient > 0 ? sparsity / recipe.sparsity.coefficient : 1
    let target = recipe.targetL0s(step)
    return StepSettings(
      learningRate: Float(recipe.learningRates(step)), biasRate: Float(recipe.biasRate),
      thresholdRate: Float(recipe.threshold.rate),
      sparsity: Float(sparsity), targetL0: Float(target), frequency: Float(recipe.frequency.coefficient * ramp),
      bandwidth: Float(recipe.bandwidth), k: max(1, Int(target.rounded())), endToEnd: Float(recipe.endToEnd?.beta ?? 0))
  }

  func batch(_ window: WindowRows, _ index: Int, backend: any Backend) throws -> TrainingBatch {
    let perPass = max(1, window.count / recipe.batch)
    let start = index % perPass * recipe.batch
    let rows = start..<min(start + recipe.batch, window.count)
    let pass = index / perPass
    return TrainingBatch(
      inputs: try inputs.map { try window.rows(rows, of: $0, pass: pass, backend: backend) },
      targets: try targets.map { try window.rows(rows, of: $0, pass: pass, backend: backend) })
  }

  /// Takes the next step and returns a line for the log when one is due.
  /// - Parameter loss: taken up by recipes that train end to end.
  /// - Throws: `RunError.diverged`.
  func step(
    _ window: WindowRows, metricsEvery: Int, backend: any Backend, loss: (any ReconstructionLoss)? = nil
  ) throws -> (StepReport, MetricsLine?) {
    let settings = settings
    let report = try state.step(
      batch(window, used, backend: backend), settings, reducer: reducer, loss: recipe.endToEnd == nil ? nil : loss)
    try check(report, settings)
    used += 1
    sums.steps += 1
    sums.loss += report.loss
    sums.fvu += report.fvu
    sums.l0 += report.l0
    if let kl = report.kl { sums.kl = (sums.kl ?? 0) + kl }
    guard state.steps % metricsEvery == 0 || isDone else { return (report, nil) }
    let count = Double(sums.steps)
    let line = MetricsLine(
      step: state.steps, tokens: state.tokens, loss: sums.loss / count, fvu: sums.fvu / count, l0: sums.l0 / count,
      kl: sums.kl.map { $0 / count }, dead: report.deadShare, learningRate: Double(settings.learningRate),
      sparsity: recipe.objective == .jumprelu ? Double(settings.sparsity) : 0,
      targetL0: Double(recipe.objective == .jumprelu ? settings.targetL0 : Float(settings.k)), tokensPerSecond: 0)
    sums = MetricsSums()
    return (report, line)
  }

  private func check(_ report: StepReport, _ settings: StepSettings) throws {
    // Activations of each site have a mean square norm of 1, which is what predicting nothing loses.
    let limit = watch.limit(reconstruction: report.reconstruction, nothing: Double(job.shape.writes.count))
    // End to end FVU may grow for the sake of the predictions.
    let decline = recipe.endToEnd == nil ? watch.note(fvu: report.fvu, dead: report.deadShare) : nil
    guard report.isFinite, report.reconstruction <= limit, decline == nil else {
      throw RunError.diverged(
        name: job.name, step: state.steps, evidence: decline ?? "loss \(report.loss)",
        advice: "lower learning_rate (now \(recipe.learningRate)), "
          + (recipe.objective == .jumprelu ? "sparsity.coefficient (now \(recipe.sparsity.coefficient)), " : "")
          + "or lengthen schedule.warmup")
    }
  }
}
