public import Activations
import Checkpoints
public import Collectives
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
/// The ranks of a job make the same run and call the same methods; each holds every R-th feature of every dictionary and
/// gets all activations. Files are the root's, but for the checkpoint's slices, so all must see one folder. What the run
/// throws, but for `CollectivesError` of ranks that were lost, it throws on all ranks at the same point; `check` and the
/// source are to do so as well.
///
/// ```swift
/// let run = try TrainingRun(jobs, source: source, folder: folder, identity: identity, backend: backend)
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
  public internal(set) var passes = 0

  let source: any ActivationSource
  let backend: any Backend
  let options: Options
  let communicator: any Communicator
  /// Nil on ranks other than the root.
  private let lock: RunLock?
  let checkpoints: CheckpointFolder
  var trainees: [Trainee] = []
  /// Where the current window begins.
  var position: StreamState
  private var window: WindowRows?
  var lastCheckpoint = ContinuousClock.now
  /// A step or a write that fails may leave a state that is half one thing, half another.
  var isBusy = false

  /// Locks `folder`, which is made.
  /// - Throws: `RunError.locked`, `.occupied` when there is a checkpoint and `resumes` is false; `CheckpointError`.
  public init(
    _ jobs: [TrainingJob], source: any ActivationSource, folder: URL, identity: RunIdentity, backend: any Backend,
    options: Options = Options(), resumes: Bool = false, communicator: any Communicator = SingleRank()
  ) throws {
    self.jobs = jobs
    self.source = source
    self.folder = folder
    self.identity = identity
    self.backend = backend
    self.options = options
    self.communicator = communicator
    if let job = jobs.first(where: { $0.recipe.endToEnd != nil }), !(source is any ReconstructionLoss) {
      throw TrainingError.setting(
        name: "end_to_end of \(job.name)", expected: "whole sequences to learn from", found: "\(type(of: source))")
    }
    lock = try communicator.together {
      guard communicator.isRoot else { return nil }
      try Self.make(folder)
      for job in jobs { try Self.make(job.folder) }
      return try RunLock(folder)
    }
    checkpoints = CheckpointFolder(run: folder)
    position = source.state
    let manifest = try communicator.fromRoot { [checkpoints] () -> CheckpointManifest? in
      guard checkpoints.exists else {
        checkpoints.remove()
        return nil
      }
      guard resumes else { throw RunError.occupied(path: folder.path) }
      return try checkpoints.read()
    }
    if let manifest { try restore(manifest) }
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

  /// Seconds that this process waited for activations (the model's pass, or a store), and that it trained.
  public private(set) var seconds = (source: 0.0, training: 0.0)

  // MARK: Training

  /// Trains all dictionaries to their ends, writing checkpoints and metrics.
  /// - Parameters:
  ///   - check: called between steps; when it throws, on all ranks, a checkpoint is written and the error passed on.
  ///   - report: told of every step, on every rank.
  /// - Throws: `RunError`, `ActivationError`, `TrainingError`, `CheckpointError`, `CollectivesError`.
  public func train(check: () throws -> Void = {}, report: (TrainingProgress) throws -> Void = { _ in }) throws {
    var meter = RateMeter()
    do {
      while try openWindow() {
        meter.skip()
        let start = ContinuousClock.now
        defer { seconds.training += (ContinuousClock.now - start) / .seconds(1) }
        try useWindow(check: check, report: report, meter: &meter)
      }
    } catch {
      guard isFromOutside(error) else { throw try retreat(error) }
      // Within a step's reach of a clean state: what was done is not lost.
      if !trainees.isEmpty { try writeCheckpoint() }
      // Where several ranks were told to stop while the model ran, that is what stopped them.
      if communicator.count > 1 { try check() }
      throw error
    }
    try writeCheckpoint()
  }

  /// Whether the run was stopped by what it calls, at the same point on all ranks.
  private func isFromOutside(_ error: any Error) -> Bool {
    switch error {
    case is RunError, is CheckpointError: false
    case CollectivesError.failed: !isBusy
    case is CollectivesError: false
    // A loss that runs the model within a step is stopped before anything changes.
    default: !isBusy || communicator.count == 1 && !trainees.contains(where: \.state.isUpdating)
    }
  }

  private func useWindow(
    check: () throws -> Void, report: (TrainingProgress) throws -> Void, meter: inout RateMeter
  ) throws {
    guard let window else { return }
    for (index, trainee) in trainees.enumerated() {
      let batches = trainee.batches(in: window.count)
      while trainee.used < batches, !trainee.isDone {
        try check()
        isBusy = true
        let (step, line) = try trainee.step(
          window, metricsEvery: options.metricsEvery, backend: backend, loss: source as? any ReconstructionLoss)
        let rate = meter.add(min(trainee.recipe.batch, window.count))
        if var line {
          line.tokensPerSecond = rate
          try communicator.together { try trainee.log?.append(line) }
        }
        isBusy = false
        let (done, total) = steps
        try report(
          TrainingProgress(
            job: index, jobs: trainees.count, name: trainee.job.name, step: trainee.state.steps,
            steps: trainee.recipe.steps, stepsDone: done, stepsInAll: total, loss: step.loss, fvu: step.fvu,
            l0: step.l0, kl: step.kl, dead: step.deadShare, tokensPerSecond: rate))
        let isDue = (ContinuousClock.now - lastCheckpoint) / .seconds(1) >= options.checkpointEvery
        if try communicator.any(isDue) { try writeCheckpoint() }
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
    let began = ContinuousClock.now
    defer { seconds.source += (ContinuousClock.now - began) / .seconds(1) }
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
        beginning: job, on: window, inputs: inputs, targets: targets, backend: backend, communicator: communicator)
      let log = try communicator.together { try self.log(of: job, keeping: 0) }
      return Trainee(
        job: job, state: state, log: log, reducer: try communicator.featureShard().reducer, inputs: inputs,
        targets: targets)
    }
  }

  /// The root's.
  func log(of job: TrainingJob, keeping bytes: Int) throws -> MetricsLog? {
    guard communicator.isRoot else { return nil }
    return try MetricsLog(job.folder.appending(path: "metrics.jsonl"), keeping: bytes)
  }

  /// Where the sites of a job stand among those of the source.
  func places(of job: TrainingJob) throws -> (inputs: [Int], targets: [Int]) {
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

  /// Removes the checkpoint: the results are safe elsewhere.
  public func finish() { if communicator.isRoot { checkpoints.remove() } }

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

  /// The dictionaries as they are now, on the root; none on other ranks, which call it as well.
  public func results() throws -> [Result] {
    try trainees.compactMap { trainee in
      let parameters = try trainee.state.gathered(
        trainee.job.shape, modelName: identity.modelName, targetL0: trainee.recipe.l0, over: communicator)
      return parameters.map {
        Result(
          job: trainee.job, parameters: $0, steps: trainee.state.steps, tokens: trainee.state.tokens,
          normalisation: trainee.state.normalisation)
      }
    }
  }

  /// The window trained on last, read again when the run was resumed at its very end.
  public func lastWindow() throws -> ActivationWindow? {
    if window == nil { try nextWindow() }
    return window?.window
  }
}
