import Collectives
import Dictionaries
import Foundation
import Tensors
import TestSupport
import Testing
import Training

/// Whole runs on several ranks.
@Suite struct RankRunTests {
  /// Runs `recipes` on `ranks` ranks, stopping after `stop` steps in all; what the root has at the end.
  private static func run(
    _ synthetic: SyntheticRun, ranks: Int, stop: Int? = nil, resumes: Bool = false
  ) throws -> [DictionaryParameters] {
    try ThreadedRanks.run(ranks) { communicator in
      let run = try synthetic.make(SyntheticSource(windows: 6), resumes: resumes, communicator: communicator)
      do {
        try run.train { if let stop, run.steps.done >= stop { throw SyntheticSource.Stop() } }
      } catch is SyntheticSource.Stop { return [] }
      let results = try run.results().map(\.parameters)
      #expect(communicator.isRoot || results.isEmpty)
      return results
    }[0]
  }

  /// Means over the last lines of each dictionary's metrics.
  private static func lastFVU(_ synthetic: SyntheticRun) throws -> [Double] {
    try synthetic.recipes.indices.map { index in
      let file = synthetic.folder.appending(path: "d\(index)/metrics.jsonl")
      let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").suffix(5)
      let values = try lines.map { line in
        try #require(
          (try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])?["fvu"] as? Double)
      }
      return values.reduce(0, +) / Double(values.count)
    }
  }

  private static func synthetic(_ directory: TemporaryDirectory, tokens: Int) throws -> SyntheticRun {
    var recipes = try SyntheticRun.recipes()
    for index in recipes.indices { recipes[index].tokens = tokens }
    return SyntheticRun(folder: directory.url, recipes: recipes)
  }

  /// How far two dictionaries are apart: the length of the difference over the length.
  private static func distance(_ a: DictionaryParameters, _ b: DictionaryParameters) -> Float {
    let pairs = zip(a.layers, b.layers).flatMap { a, b in
      [(a.encoder, b.encoder), (a.decoder, b.decoder), (a.threshold, b.threshold), (a.decoderBias, b.decoderBias)]
    }
    return pairs.map { a, b in
      let difference = zip(a, b).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      return (difference / max(a.reduce(0) { $0 + $1 * $1 }, .leastNormalMagnitude)).squareRoot()
    }.max() ?? .infinity
  }

  /// From the same start: scales, biases and thresholds of the first window included.
  @Test(arguments: [2, 3]) func threeStepsEqualOneRank(ranks: Int) throws {
    let folders = (try TemporaryDirectory(), try TemporaryDirectory())
    var recipes = try SyntheticRun.recipes()
    for index in recipes.indices { recipes[index].tokens = 3 * recipes[index].batch }
    let one = try Self.run(SyntheticRun(folder: folders.0.url, recipes: recipes), ranks: 1)
    let many = try Self.run(SyntheticRun(folder: folders.1.url, recipes: recipes), ranks: ranks)
    #expect(one.count == 2 && many.count == 2)
    for (a, b) in zip(one, many) { #expect(Self.distance(a, b) <= 1e-5, "\(Self.distance(a, b))") }
  }

  @Test(arguments: [2, 3]) func wholeRunsEndAlike(ranks: Int) throws {
    let folders = (try TemporaryDirectory(), try TemporaryDirectory())
    let (one, many) = (
      try Self.synthetic(folders.0, tokens: 20_000), try Self.synthetic(folders.1, tokens: 20_000)
    )
    _ = try Self.run(one, ranks: 1)
    _ = try Self.run(many, ranks: ranks)
    for (a, b) in zip(try Self.lastFVU(one), try Self.lastFVU(many)) {
      #expect(a < 0.5 && abs(a - b) <= 0.01 * a, "\(a), \(b)")
    }
  }

  @Test func runsAreDeterministic() throws {
    let folders = (try TemporaryDirectory(), try TemporaryDirectory())
    let (one, two) = (try Self.synthetic(folders.0, tokens: 3000), try Self.synthetic(folders.1, tokens: 3000))
    #expect(try Self.run(one, ranks: 3) == Self.run(two, ranks: 3))
    #expect(try one.metrics() == two.metrics())
  }

  /// Stopped and taken up by the same number of ranks, a run ends with the same bits.
  @Test func resumedRunsEndAlike() throws {
    let folders = (try TemporaryDirectory(), try TemporaryDirectory())
    let (whole, parts) = (try Self.synthetic(folders.0, tokens: 3000), try Self.synthetic(folders.1, tokens: 3000))
    let expected = try Self.run(whole, ranks: 2)
    #expect(try Self.run(parts, ranks: 2, stop: 17).isEmpty)
    #expect(try Self.run(parts, ranks: 2, stop: 71, resumes: true).isEmpty)
    #expect(try Self.run(parts, ranks: 2, resumes: true) == expected)
    #expect(try whole.metrics() == parts.metrics())
  }

  /// By another number, it ends as well as one that was not stopped.
  @Test(arguments: [[2, 3, 1], [1, 2, 3], [3, 1, 2]]) func resumesWithAnotherNumber(ranks: [Int]) throws {
    let folders = (try TemporaryDirectory(), try TemporaryDirectory())
    let (whole, parts) = (
      try Self.synthetic(folders.0, tokens: 20_000), try Self.synthetic(folders.1, tokens: 20_000)
    )
    _ = try Self.run(whole, ranks: 1)
    for (place, count) in ranks.enumerated() {
      let isLast = place == ranks.count - 1
      _ = try Self.run(parts, ranks: count, stop: isLast ? nil : 100 + 300 * place, resumes: place > 0)
      // The root's folder holds the last checkpoint and at most one before, complete.
      let folder = CheckpointFiles(run: folders.1.url)
      #expect(try folder.named("manifest.json").count == 2 * count)
      #expect(try folder.isTidy())
    }
    for (a, b) in zip(try Self.lastFVU(whole), try Self.lastFVU(parts)) {
      #expect(abs(a - b) <= 0.01 * a, "\(a), \(b)")
    }
    let lines = try parts.metrics().map { $0.split(separator: "\n").count }
    #expect(try lines == whole.metrics().map { $0.split(separator: "\n").count })
  }

  /// A rank may go between a manifest and the others' hearing of it: what the manifest names is kept.
  @Test func aRankLostAfterACheckpointLeavesItWhole() throws {
    let directory = try TemporaryDirectory()
    let synthetic = try Self.synthetic(directory, tokens: 3000)
    #expect(try Self.run(synthetic, ranks: 2, stop: 17).isEmpty)
    let files = CheckpointFiles(run: directory.url)
    let before = try files.named("manifest.json")
    #expect(throws: CollectivesError.self) {
      try ThreadedRanks.run(2) { communicator in
        let losing = LossAfterCheckpoint(communicator, run: directory.url)
        let run = try synthetic.make(SyntheticSource(windows: 6), resumes: true, communicator: losing)
        try run.train { if run.steps.done >= 71 { throw SyntheticSource.Stop() } }
      }
    }
    let named = try files.named("manifest.json")
    #expect(named.count == 4 && named.isDisjoint(with: before))
    #expect(try named.isSubset(of: files.all()))
    #expect(try Self.run(synthetic, ranks: 3, resumes: true).count == 2)
  }

  /// All ranks throw the same, also where only the root met it.
  @Test func faultsAreThrownByAll() throws {
    func outcomes(_ body: @escaping @Sendable (any Communicator) throws -> Void) throws -> [String] {
      try ThreadedRanks.run(3) { communicator in
        do {
          try body(communicator)
          return ""
        } catch { return "\(error)" }
      }
    }
    let directory = try TemporaryDirectory()
    let synthetic = try Self.synthetic(directory, tokens: 3000)
    let diverged = try outcomes { try synthetic.make(ChangedSource.poisoned(), communicator: $0).train() }
    #expect(Set(diverged).count == 1 && diverged[0].contains("diverged at step"), "\(diverged)")
    #expect(try Self.run(synthetic, ranks: 2, stop: 10).isEmpty)
    let occupied = try outcomes { _ = try synthetic.make(SyntheticSource(), communicator: $0) }
    #expect(Set(occupied).count == 1 && occupied[0].contains("--resume"), "\(occupied)")
    // The last of the slices is cut short.
    let checkpoint = directory.url.appending(path: "checkpoint")
    let names = try FileManager.default.contentsOfDirectory(atPath: checkpoint.path)
    let slice = try #require(names.first { $0.hasSuffix("-1-of-2.safetensors") })
    let bytes = try Data(contentsOf: checkpoint.appending(path: slice))
    try bytes.dropLast(4).write(to: checkpoint.appending(path: slice))
    let damaged = try outcomes { _ = try synthetic.make(SyntheticSource(), resumes: true, communicator: $0) }
    #expect(Set(damaged).count == 1 && damaged[0].contains(slice), "\(damaged)")
  }
}
