public import Activations
import Checkpoints
public import Dictionaries
public import Foundation
public import Sites
public import Tensors

/// Trains any number of dictionaries from one stream of activations.
///
/// Each window is used up by one dictionary after another, each cutting it into batches of its own. When the corpus ends
/// before the dictionaries have their tokens it is begun again. Runs are a pure function of recipes, corpus and model:
/// one that was killed and resumed ends with the same bits as one that was not.
///
/// ```swift
/// let run = try TrainingRun(jobs, source: source, folder: folder, identity: identity, backend: backend)
/// try run.resume()
/// try run.train(check: { }) { print($0.fvu) }
/// for result in try run.results() { try result.parameters.write(to: result.job.folder) }
/// ```
public final class TrainingRun {
  public struct Options: Sendable {
    /// Seconds between checkpoints.
    public var checkpointEvery: Double
    /// Steps between lines of metrics.
    public var metricsEvery: Int

    public init(checkpointEvery: Double = 600, metricsEvery: Int = 10) {
      self.checkpointEvery = checkpointEvery
      self.metricsEvery = max(metricsEvery, 1)
    }
  }

  public let jobs: [TrainingJob]
  public let folder: URL
  public let identity: RunIdentity
  /// Times the corpus was begun again.
  public private(set) var passes = 0

  let source: any ActivationSource
  let backend: any Backend
  let options: Options
  private let lock: RunLock
  private let checkpoints: CheckpointFolder
  private var trainees: [Trainee] = []
  /// Where the current window begins.
  private var position: StreamState
  private var window: WindowRows?
  private var lastCheckpoint = ContinuousClock.now
  /// A step that fails may leave a state that is half one thing, half another.
  private var isStepping = false

  /// Locks `folder`, which is made.
  /// - Throws: `RunError.locked`, `.occupied` when there is a checkpoint and `resumes` is false; `CheckpointError`.
  public init(
    _ jobs: [TrainingJob], source: any ActivationSource, folder: URL, identity: RunIdentity, backend: any Backend,
    options: Options = Options(), resumes: Bool = false
  ) throws {
    self.jobs = jobs
    self.source = source
    self.folder = folder
    self.identity = identity
    self.backend = backend
    self.options = options
    if let job = jobs.first(where: { $0.recipe.endToEnd != nil }), !(source is any ReconstructionLoss) {
      throw TrainingError.setting(
        name: "end_to_end of \(job.name)", expected: "whole sequences to learn from", found: "\(type(of: source))")
    }
    try Self.make(folder)
    for job in jobs { try Self.make(job.folder) }
    lock = try RunLock(folder)
    checkpoints = CheckpointFolder(run: folder)
    position = source.state
    guard checkpoints.exists else {
      checkpoints.remove()
      return
    }
    guard resumes else { throw RunError.occupied(path: folder.path) }
    try restore()
  }

  private static func make(_ folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError.unwritable(file: folder.path, reason: "the folder cannot be made")
    }
  }

  /// What the tensors of a window are activations at.
  public var sites: [Site] { source.sites }

  /// Steps taken and to be taken, over all dictionaries.
  public var steps: (done: Int, total: Int) {
    (trainees.reduce(0) { $0 + $1.state.steps }, jobs.reduce(0) { $0 + $1.recipe.steps })
  }

  // MARK: Training

  /// Trains all dictionaries to their ends, writing checkpoints and metrics.
  /// - Parameters:
  ///   - check: called between steps; when it throws, a checkpoint is written and the error passed on.
  ///   - report: told of every step.
  /// - Throws: `RunError`, `ActivationError`, `TrainingError`, `CheckpointError`.
  public func train(check: () throws -> Void = {}, report: (TrainingProgress) throws -> Void = { _ in }) throws {
    var meter = RateMeter()
    do {
      while try openWindow() {
        meter.skip()
        try useWindow(check: check, report: report, meter: &meter)
      }
    } catch let error as RunError {
      throw error
    } catch let error as CheckpointError {
      throw error
    } catch {
      // Stopped from outside, within a step's reach of a clean state: what was done is not lost.
      if !trainees.isEmpty, !isStepping || !trainees.contains(where: \.state.isUpdating) { try writeCheckpoint() }
      throw error
    }
    try writeCheckpoint()
  }

  private func useWindow(
    check: () throws -> Void, report: (TrainingProgress) throws -> Void, meter: inout RateMeter
  ) throws {
    guard let window else { return }
    for (index, trainee) in trainees.enumerated() {
      let batches = trainee.batches(in: window.count)
      while trainee.used < batches, !trainee.isDone {
        try check()
        isStepping = true
        let (step, line) = try trainee.step(
          window, metricsEvery: options.metricsEvery, backend: backend, loss: source as? any ReconstructionLoss)
        isStepping = false
        let rate = meter.add(min(trainee.recipe.batch, window.count))
        if var line {
          line.tokensPerSecond = rate
          try trainee.log.append(line)
        }
        let (done, total) = steps
        try report(
          TrainingProgress(
            job: index, jobs: trainees.count, name: trainee.job.name, step: trainee.state.steps,
            steps: trainee.recipe.steps, stepsDone: done, stepsInAll: total, loss: step.loss, fvu: step.fvu,
            l0: step.l0, kl: step.kl, dead: step.deadShare, tokensPerSecond: rate))
        if (ContinuousClock.now - lastCheckpoint) / .seconds(1) >= options.checkpointEvery { try writeCheckpoint() }
      }
    }
  }

  /// Makes sure that there is a window with batches left; false when all dictionaries have their tokens.
  private func openWindow() throws -> Bool {
    if trainees.isEmpty {
      try nextWindow()
      try begin()
    }
    guard trainees.contains(where: { !$0.isDone }) else { return false }
    if window == nil { try nextWindow() }
    guard let count = window?.count else { return false }
    if trainees.contains(where: { !$0.isDone && $0.used < $0.batches(in: count) }) { return true }
    // Said first, so that a stop while the model runs leaves a position that has not to run this window again.
    for trainee in trainees { trainee.used = 0 }
    position = source.state
    try nextWindow()
    return true
  }

  /// The next window of the stream, from its beginning again when it has ended. `position` moves along only when there
  /// is one.
  private func nextWindow() throws {
    window = nil
    var start = source.state
    var next = try source.nextWindow()
    if next == nil, start.windowIndex > 0 {
      start = StreamState(windowIndex: start.windowIndex)
      try source.restore(start)
      next = try source.nextWindow()
      if next != nil { passes += 1 }
    }
    guard let next, next.count > 0 else { throw RunError.noActivations }
    window = WindowRows(next)
    position = start
  }

  /// Makes the states of all dictionaries from the first window.
  private func begin() throws {
    guard let window else { return }
    trainees = try jobs.map { job in
      let (inputs, targets) = try places(of: job)
      let state = try TrainingState(
        beginning: job, on: window, inputs: inputs, targets: targets, backend: backend)
      let log = try MetricsLog(job.folder.appending(path: "metrics.jsonl"), keeping: 0)
      return Trainee(job: job, state: state, log: log, inputs: inputs, targets: targets)
    }
  }

  /// Where the sites of a job stand among those of the source.
  private func places(of job: TrainingJob) throws -> (inputs: [Int], targets: [Int]) {
    func place(_ sites: [Site]) throws -> [Int] {
      let names = source.sites.map(\.description)
      return try sites.map { site in
        guard let place = names.firstIndex(of: "\(site)") else {
          throw TrainingError.setting(name: job.name, expected: "activations at \(site)", found: "\(names)")
        }
        return place
      }
    }
    return (try place(job.shape.reads), try place(job.shape.writes))
  }

  // MARK: Checkpoints

  /// Writes a checkpoint of all dictionaries.
  /// - Throws: `CheckpointError.unwritable`, the last checkpoint kept.
  public func writeCheckpoint() throws {
    for trainee in trainees { try trainee.log.sync() }
    let manifest = CheckpointManifest(
      stream: position, passes: passes, identity: identity, layouts: trainees.map { RecipeLayout($0.recipe) },
      entries: trainees.map {
        .init(
          name: $0.job.name, file: "", byteCount: 0, steps: $0.state.steps, used: $0.used,
          metricsBytes: $0.log.byteCount, sums: $0.sums, inputScales: $0.state.normalisation.inputs,
          targetScales: $0.state.normalisation.targets)
      })
    try checkpoints.write(manifest, states: trainees.map { try $0.state.tensors() })
    lastCheckpoint = .now
  }

  private func restore() throws {
    let manifest = try checkpoints.read()
    let path = folder.path
    if let (key, found, expected) = manifest.identity.difference(from: identity) {
      throw RunError.otherRun(path: path, key: key, found: found, expected: expected)
    }
    let names = manifest.entries.map(\.name)
    guard names == jobs.map(\.name), manifest.layouts.count == names.count else {
      throw RunError.otherRun(
        path: path, key: "list of dictionaries", found: names.joined(separator: ", "),
        expected: jobs.map(\.name).joined(separator: ", "))
    }
    for (job, layout) in zip(jobs, manifest.layouts) {
      if let (key, found, expected) = layout.difference(from: RecipeLayout(job.recipe)) {
        throw RunError.otherRun(path: path, key: "\(key) of \(job.name)", found: found, expected: expected)
      }
    }
    trainees = try zip(jobs, manifest.entries).map { job, entry in
      let (inputs, targets) = try places(of: job)
      let file = try SafetensorsFile(checkpoints.url.appending(path: entry.file))
      let scales = Normalisation(inputs: entry.inputScales, targets: entry.targetScales)
      let state = try TrainingState(job, normalisation: scales, backend: backend)
      try state.restore([file])
      let log = try MetricsLog(job.folder.appending(path: "metrics.jsonl"), keeping: entry.metricsBytes)
      return Trainee(
        job: job, state: state, log: log, inputs: inputs, targets: targets, used: entry.used, sums: entry.sums)
    }
    checkpoints.clean(keeping: Set(manifest.entries.map(\.file)))
    passes = manifest.passes
    position = manifest.stream
    try source.restore(position)
  }

  /// Removes the checkpoint: the results are safe elsewhere.
  public func finish() { checkpoints.remove() }

  // MARK: Results

  /// A trained dictionary.
  public struct Result {
    public let job: TrainingJob
    /// In the units of the model's activations.
    public let parameters: DictionaryParameters
    public let steps: Int
    public let tokens: Int
    public let normalisation: Normalisation
  }

  /// The dictionaries as they are now.
  public func results() throws -> [Result] {
    try trainees.map { trainee in
      Result(
        job: trainee.job,
        parameters: try trainee.state.folded(
          trainee.job.shape, modelName: identity.modelName, targetL0: trainee.recipe.l0),
        steps: trainee.state.steps, tokens: trainee.state.tokens, normalisation: trainee.state.normalisation)
    }
  }

  /// The window trained on last, read again when the run was resumed at its very end.
  public func lastWindow() throws -> ActivationWindow? {
    if window == nil { try nextWindow() }
    return window?.window
  }
}
