import Dictionaries
import Foundation
import Tensors
import TestSupport
import Testing
import Training

@Suite struct RunTests {
  private func uninterrupted() throws -> (parameters: [DictionaryParameters], metrics: [String]) {
    let directory = try TemporaryDirectory()
    let synthetic = SyntheticRun(folder: directory.url, recipes: try SyntheticRun.recipes())
    let run = try synthetic.make(SyntheticSource())
    try run.train()
    #expect(run.passes == 1, "the corpus is shorter than the run")
    return (try run.results().map(\.parameters), try synthetic.metrics())
  }

  @Test func learningReducesTheError() throws {
    let directory = try TemporaryDirectory()
    var recipes = try SyntheticRun.recipes()
    for index in recipes.indices { recipes[index].tokens = 30_000 }
    let run = try SyntheticRun(folder: directory.url, recipes: recipes).make(SyntheticSource())
    var first: [Int: Double] = [:]
    var last: [Int: Double] = [:]
    try run.train {
    } report: { progress in
      if first[progress.job] == nil { first[progress.job] = progress.fvu }
      last[progress.job] = progress.fvu
    }
    for (job, fvu) in first { #expect(try #require(last[job]) < 0.6 * fvu, "\(job): \(fvu) to \(last)") }
  }

  /// Stopped at random steps and taken up again, a run ends with the bits of one that never stopped.
  @Test(arguments: 0..<6) func resumedRunsEndAlike(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let expected = try uninterrupted()
    let directory = try TemporaryDirectory()
    let synthetic = SyntheticRun(folder: directory.url, recipes: try SyntheticRun.recipes())
    var parameters: [DictionaryParameters] = []
    for attempt in 0..<50 where parameters.isEmpty {
      let source = SyntheticSource()
      if random.int(0...3) == 0 { source.failsAfter = random.int(1...2) }
      let run = try synthetic.make(source, resumes: attempt > 0)
      var left = random.int(0...7)
      do {
        try run.train {
          left -= 1
          if left < 0 { throw SyntheticSource.Stop() }
        }
        parameters = try run.results().map(\.parameters)
      } catch is SyntheticSource.Stop {}
    }
    #expect(parameters == expected.parameters)
    #expect(try synthetic.metrics() == expected.metrics)
  }

  /// What a killed process wrote after its last checkpoint does not count.
  @Test func stepsAfterACheckpointAreTakenAgain() throws {
    let expected = try uninterrupted()
    let directory = try TemporaryDirectory()
    let synthetic = SyntheticRun(folder: directory.url, recipes: try SyntheticRun.recipes())
    do {
      let run = try synthetic.make(SyntheticSource())
      var steps = 0
      try? run.train {
      } report: { _ in
        steps += 1
        if steps == 4 { try run.writeCheckpoint() }
        if steps == 11 { throw SyntheticSource.Stop() }
      }
      // As a kill would leave it: the checkpoint of step 4 and the metrics of step 11.
      #expect(steps == 11)
    }
    let run = try synthetic.make(SyntheticSource(), resumes: true)
    try run.train()
    #expect(try run.results().map(\.parameters) == expected.parameters)
    #expect(try synthetic.metrics() == expected.metrics)
  }

  @Test func aFolderInUseIsRefused() throws {
    let directory = try TemporaryDirectory()
    let synthetic = SyntheticRun(folder: directory.url, recipes: try SyntheticRun.recipes())
    var run: TrainingRun? = try synthetic.make(SyntheticSource())
    #expect(throws: RunError.locked(path: directory.url.path, process: Int(getpid()))) {
      _ = try synthetic.make(SyntheticSource())
    }
    #expect(run != nil)
    run = nil
    // A lock left by a process that is gone holds nobody up.
    _ = try directory.write(Array("999999\n".utf8), as: ".lock")
    _ = try synthetic.make(SyntheticSource())
  }

  @Test func checkpointsOfOtherRunsAreRefused() throws {
    let directory = try TemporaryDirectory()
    var synthetic = SyntheticRun(folder: directory.url, recipes: try SyntheticRun.recipes())
    try synthetic.make(SyntheticSource()).train()
    #expect(throws: RunError.occupied(path: directory.url.path)) { _ = try synthetic.make(SyntheticSource()) }
    synthetic.recipes[0].batch = 16
    let error = #expect(throws: RunError.self) { _ = try synthetic.make(SyntheticSource(), resumes: true) }
    #expect("\(String(describing: error))".contains("another batch of d0: 32 there, 16 asked for"))
    // Another learning rate is how a run that diverged is saved.
    synthetic.recipes[0].batch = 32
    synthetic.recipes[0].learningRate = 1e-5
    _ = try synthetic.make(SyntheticSource(), resumes: true)
  }

  @Test func damagedCheckpointsAreNamed() throws {
    let directory = try TemporaryDirectory()
    let synthetic = SyntheticRun(folder: directory.url, recipes: try SyntheticRun.recipes())
    try synthetic.make(SyntheticSource()).train()
    let checkpoint = directory.url.appending(path: "checkpoint")
    let names = try FileManager.default.contentsOfDirectory(atPath: checkpoint.path)
    let state = try #require(names.first { $0.hasSuffix(".safetensors") })
    let file = checkpoint.appending(path: state)
    let bytes = try Data(contentsOf: file)
    try bytes.dropLast(4).write(to: file)
    let error = #expect(throws: RunError.self) { _ = try synthetic.make(SyntheticSource(), resumes: true) }
    #expect("\(String(describing: error))".contains(state))
    try bytes.write(to: file)
    _ = try synthetic.make(SyntheticSource(), resumes: true)
    try Data("{}".utf8).write(to: checkpoint.appending(path: "manifest.json"))
    #expect(throws: RunError.self) { _ = try synthetic.make(SyntheticSource(), resumes: true) }
  }

  @Test func metricsBecomeCurves() throws {
    let directory = try TemporaryDirectory()
    let synthetic = SyntheticRun(folder: directory.url, recipes: try SyntheticRun.recipes())
    try synthetic.make(SyntheticSource()).train()
    let plots = try TrainingPlots(
      (0..<2).map { ("d\($0)", directory.url.appending(path: "d\($0)/metrics.jsonl")) })
    try plots.write(to: directory.url.appending(path: "plots"))
    let files = try FileManager.default.contentsOfDirectory(atPath: directory.url.appending(path: "plots").path)
    #expect(Set(files) == ["loss.svg", "fvu.svg", "l0.svg", "dead.svg"])
    let lines = try String(contentsOf: directory.url.appending(path: "d0/metrics.jsonl"), encoding: .utf8)
      .split(separator: "\n").map {
        try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
      }
    #expect(lines.map { $0["step"] as? Int } == [3, 6, 9, 12, 15, 18, 21, 22])
    #expect(lines.last?["tokens"] as? Int == 22 * 32)
  }

  @Test func aDamagedLogIsNamed() throws {
    let directory = try TemporaryDirectory()
    let log = try directory.write(Array("{\"step\":1}\n".utf8), as: "metrics.jsonl")
    #expect(throws: RunError.self) { _ = try TrainingPlots([("x", log)]) }
  }
}
