import Activations
import Collectives
import Foundation
import Tensors

extension TrainingRun {
  /// Writes a checkpoint of all dictionaries.
  /// - Throws: `CheckpointError.unwritable`, `CollectivesError`, a last checkpoint kept.
  public func writeCheckpoint() throws {
    isBusy = true
    try communicator.together { for trainee in trainees { try trainee.log?.sync() } }
    let manifest = CheckpointManifest(
      stream: position, passes: passes, identity: identity, layouts: trainees.map { RecipeLayout($0.recipe) },
      entries: trainees.map {
        .init(
          name: $0.job.name, slices: RankSlices(files: []), steps: $0.state.steps, used: $0.used,
          metricsBytes: $0.log?.byteCount ?? 0, sums: $0.sums, watch: $0.watch,
          inputScales: $0.state.normalisation.inputs, targetScales: $0.state.normalisation.targets)
      })
    try checkpoints.write(
      manifest, states: trainees.map { try $0.state.tensors() }, communicator: communicator)
    lastCheckpoint = .now
    isBusy = false
  }

  /// Sees to it that what is left after a dictionary came apart is a checkpoint worth going on from, and tells which one
  /// that is. All ranks call it; other errors come back as they are.
  func retreat(_ error: any Error) throws -> any Error {
    guard case RunError.diverged(let name, let step, let evidence, let advice, _) = error else { return error }
    let kept = try communicator.fromRoot { checkpoints.retreat(name, at: step) }
    return RunError.diverged(name: name, step: step, evidence: evidence, advice: advice, kept: kept)
  }

  /// Goes on where a checkpoint was made, by however many ranks.
  func restore(_ manifest: CheckpointManifest) throws {
    try communicator.together { try checkSettings(manifest) }
    let (shard, reducer) = try communicator.featureShard()
    trainees = try communicator.together {
      try zip(jobs, manifest.entries).map { job, entry in
        let (inputs, targets) = try places(of: job)
        let scales = Normalisation(inputs: entry.inputScales, targets: entry.targetScales)
        let state = try TrainingState(job, normalisation: scales, shard: shard, backend: backend)
        try entry.slices.restore(state, from: checkpoints.url)
        return Trainee(
          job: job, state: state, log: try log(of: job, keeping: entry.metricsBytes), reducer: reducer, inputs: inputs,
          targets: targets, used: entry.used, sums: entry.sums,
          watch: entry.watch ?? DivergenceWatch())
      }
    }
    if communicator.isRoot { checkpoints.clean(keeping: checkpoints.namedFiles) }
    passes = manifest.passes
    position = manifest.stream
    try source.restore(position)
  }

  /// - Throws: `RunError.otherRun` when this run is not the one that the manifest is of.
  private func checkSettings(_ manifest: CheckpointManifest) throws {
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
  }
}
