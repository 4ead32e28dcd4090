import Collectives
import Foundation
import TestSupport
import Testing
import Training

/// What is left of runs that come apart.
@Suite struct DivergedRunTests {
  private func synthetic(_ directory: TemporaryDirectory, tokens: Int) throws -> SyntheticRun {
    var recipe = try SyntheticRun.recipes()[0]
    recipe.tokens = tokens
    return SyntheticRun(folder: directory.url, recipes: [recipe])
  }

  /// Steps of `run` until it is stopped, or ends.
  private func stop(_ run: TrainingRun, after steps: Int) throws {
    do {
      try run.train { if run.steps.done >= steps { throw SyntheticSource.Stop() } }
    } catch is SyntheticSource.Stop {}
  }

  /// The message of a run that comes apart.
  private func fault(_ run: TrainingRun, report: (TrainingProgress) throws -> Void = { _ in }) -> String {
    let error = #expect(throws: RunError.self) { try run.train(report: report) }
    return error.map { "\($0)" } ?? ""
  }

  /// The checkpoint is one to go on from: the run then ends with the bits of one that met nothing bad.
  @Test func theLastCheckpointIsKept() throws {
    let (whole, broken) = (try TemporaryDirectory(), try TemporaryDirectory())
    let expected = try synthetic(whole, tokens: 2000).make(SyntheticSource())
    try expected.train()
    let run = try synthetic(broken, tokens: 2000)
    try stop(run.make(SyntheticSource()), after: 5)
    let text = fault(try run.make(ChangedSource.poisoned(), resumes: true))
    #expect(text.contains("diverged at step 6 ") && text.contains("lower learning_rate (now 0.003)"), "\(text)")
    #expect(text.contains("the checkpoint of step 5 is kept"), "\(text)")
    let files = CheckpointFiles(run: broken.url)
    #expect(try files.steps() == [5, nil])
    #expect(try files.isTidy())
    let again = try run.make(SyntheticSource(), resumes: true)
    #expect(again.steps.done == 5)
    try again.train()
    #expect(try again.results().map(\.parameters) == expected.results().map(\.parameters))
    #expect(try run.metrics() == synthetic(whole, tokens: 2000).metrics())
  }

  @Test func withoutACheckpointNoneIsPromised() throws {
    let directory = try TemporaryDirectory()
    let text = fault(try synthetic(directory, tokens: 2000).make(ChangedSource.poisoned()))
    #expect(text.contains("diverged") && !text.contains("is kept") && !text.contains("--resume"), "\(text)")
    #expect(text.hasSuffix("then begin anew"), "\(text)")
  }

  /// A run that soon has learned, and from some windows on sees first what its features do not tell, then rows so small
  /// that the biases alone are far off.
  private func spoilt(other: Int, small: Int) -> ChangedSource {
    ChangedSource(SyntheticSource(windows: 1000)) { window, row in
      guard window < small else { return row.map { 0.01 * $0 } }
      // Places change hands otherwise in each window, so that nothing is learned from the one before.
      return window < other ? row : (row[(window % row.count)...] + row[..<(window % row.count)]).reversed()
    }
  }

  private func learner(_ directory: TemporaryDirectory) throws -> SyntheticRun {
    let text = """
      {"schema":1,"reads":"resid_post.0","width":32,"context":16,"window":96,"l0":6,"batch":32,"tokens":40000,
      "repeats":2,"learning_rate":0.005,"bandwidth":0.1,"sparsity":{"coefficient":0.03,"ramp":{"share":0.1}},
      "threshold":{"start":"quantile"},"dead_after":100,"initialisation":{"decoder_bias":"mean"}}
      """
    return SyntheticRun(folder: directory.url, recipes: [try Recipe(json: Array(text.utf8), file: "r.json")])
  }

  /// A checkpoint written while FVU was already lost is given up for the one before, which was not.
  @Test(arguments: [1, 2]) func anUnhealthyCheckpointIsGivenUp(ranks: Int) throws {
    let directory = try TemporaryDirectory()
    let run = try learner(directory)
    let files = CheckpointFiles(run: directory.url)
    // Six steps a window.
    let steps = [500, 560, 611]
    let texts = try ThreadedRanks.run(ranks) { communicator in
      let training = try run.make(spoilt(other: 100, small: 106), communicator: communicator)
      return fault(training) { progress in
        if steps.contains(progress.step) { try training.writeCheckpoint() }
        guard communicator.isRoot else { return }
        if progress.step == 560 {
          #expect(try files.steps() == [560, 500])
        }
        if progress.step == 611 {
          #expect(progress.fvu < 1)
          #expect(try files.steps() == [611, 500])
          #expect(try files.isTidy())
        }
      }
    }
    #expect(Set(texts).count == 1 && texts[0].contains("the checkpoint of step 500 is kept"), "\(texts)")
    #expect(texts[0].contains("FVU") && texts[0].contains("after"), "\(texts)")
    #expect(try files.steps() == [500, nil])
    #expect(try files.isTidy())
    #expect(try run.make(SyntheticSource(windows: 1000), resumes: true).steps.done == 500)
  }

  /// The watch speaks some steps after the fact: a checkpoint of just then is given up too, an older one is not.
  @Test(arguments: [(602, 560), (580, 580)]) func aCheckpointOfJustThenIsGivenUp(last: Int, kept: Int) throws {
    let directory = try TemporaryDirectory()
    let run = try learner(directory).make(spoilt(other: 100, small: 100))
    let text = fault(run) { if [560, last].contains($0.step) { try run.writeCheckpoint() } }
    #expect(text.contains("the checkpoint of step \(kept) is kept"), "\(text)")
    #expect(try CheckpointFiles(run: directory.url).isTidy())
  }

  /// Each checkpoint that was healthy, as was the one after it, is the one that would be gone back to.
  @Test func twoCheckpointsAreKept() throws {
    let directory = try TemporaryDirectory()
    let run = try synthetic(directory, tokens: 3000).make(SyntheticSource())
    let files = CheckpointFiles(run: directory.url)
    try run.train {
    } report: { progress in
      guard progress.step.isMultiple(of: 10) else { return }
      try run.writeCheckpoint()
      #expect(try files.isTidy())
      #expect(try files.steps() == [progress.step, progress.step == 10 ? nil : progress.step - 10])
    }
    run.finish()
    #expect(!FileManager.default.fileExists(atPath: files.url.path))
  }

  /// With Gemma Scope 2's hyper-parameters and 32 times as many features as dimensions, x̂ begins at about 16 x.
  @Test func aStartFarAboveNothingIsNoDivergence() throws {
    let directory = try TemporaryDirectory()
    let text = """
      {"schema":1,"reads":"resid_post.0","width":512,"l0":6,"batch":96,"tokens":28800,"context":16,"window":96,
      "schedule":{"warmup":{"steps":20}}}
      """
    let recipe = try Recipe(json: Array(text.utf8), file: "r.json")
    #expect(recipe.bandwidth == 0.001 && recipe.learningRate == 7e-5 && recipe.threshold.value == 0.001)
    let run = try SyntheticRun(folder: directory.url, recipes: [recipe]).make(SyntheticSource(windows: 300))
    var (losses, fvus): ([Double], [Double]) = ([], [])
    try run.train {
    } report: {
      losses.append($0.loss)
      fvus.append($0.fvu)
    }
    // λ has begun to rise, and with it the loss; what is reconstructed gets better.
    #expect(losses.count == 300 && losses[0] > 100, "\(losses[0])")
    let (first, last) = (fvus.prefix(20).reduce(0, +), fvus.suffix(20).reduce(0, +))
    #expect(last < 0.8 * first, "\(first / 20) to \(last / 20)")
  }

  @Test func anotherStoreIsAnotherRun() throws {
    let directory = try TemporaryDirectory()
    var run = try synthetic(directory, tokens: 2000)
    func identity(_ store: String?) -> RunIdentity {
      RunIdentity(
        version: "test", modelName: "tiny", modelSHA256: "m", corpus: "c", corpusSHA256: "s", storeSHA256: store)
    }
    run.identity = identity("aa")
    try stop(run.make(SyntheticSource()), after: 3)
    for other in ["bb", ""] {
      run.identity = identity(other)
      let error = #expect(throws: RunError.self) { _ = try run.make(SyntheticSource(), resumes: true) }
      #expect("\(String(describing: error))".contains("another source of activations: a store with the digest aa"))
    }
    run.identity = identity("aa")
    _ = try run.make(SyntheticSource(), resumes: true)
    // A checkpoint of a version that did not note the store.
    let old = try TemporaryDirectory()
    run = try synthetic(old, tokens: 2000)
    run.identity = identity(nil)
    try stop(run.make(SyntheticSource()), after: 3)
    run.identity = identity("aa")
    _ = try run.make(SyntheticSource(), resumes: true)
  }
}
