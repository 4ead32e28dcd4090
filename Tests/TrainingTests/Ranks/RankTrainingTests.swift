import Collectives
import Dictionaries
import Foundation
import TestSupport
import Testing
import Training

@Suite struct RankTrainingTests {
  private static let steps = 3

  /// Several ranks after three steps hold what one rank holds, to 1e-5; figures of the steps agree as well.
  @Test(arguments: RankCase.all, [2, 3, 4]) func ranksEqualOne(rankCase: RankCase, ranks: Int) throws {
    let (single, _) = try rankCase.initialised(SingleRank())
    let reports = try (0..<Self.steps).map { try single.step(try rankCase.batch($0), rankCase.settings) }
    let folder = try TemporaryDirectory()
    let all = try ThreadedRanks.run(ranks) { communicator in
      let (state, reducer) = try rankCase.initialised(communicator)
      let reports = try (0..<Self.steps).map {
        try state.step(try rankCase.batch($0), rankCase.settings, reducer: reducer)
      }
      try ShardedCheckpoint(folder.url).write(state, communicator: communicator)
      return reports
    }
    for found in all {
      #expect(found == all[0], "ranks disagree about their figures")
      for (one, many) in zip(reports, found) {
        for (what, a, b) in [
          ("loss", one.loss, many.loss), ("fvu", one.fvu, many.fvu), ("l0", one.l0, many.l0),
          ("aux", one.auxLoss, many.auxLoss), ("frequency", one.frequencyLoss, many.frequencyLoss),
          ("gradient", one.gradientNorm, many.gradientNorm), ("dead", one.deadShare, many.deadShare),
        ] { #expect(abs(a - b) <= 1e-5 * max(abs(a), 1e-3), "\(rankCase) step \(one.step) \(what): \(a), \(b)") }
        #expect(one.pairs == many.pairs)
      }
    }
    #expect(!rankCase.hasAux || reports.contains { $0.auxLoss > 0 }, "no feature was dead: AuxK is not tested")
    let (gathered, _) = try rankCase.state(SingleRank())
    try ShardedCheckpoint(folder.url).restore(gathered)
    #expect(gathered.steps == Self.steps)
    #expect(abs(gathered.runningThreshold - single.runningThreshold) <= 1e-5 * single.runningThreshold)
    for (name, distance) in try distances(single, gathered) {
      #expect(distance <= 1e-5, "\(rankCase) on \(ranks) ranks, \(name): \(distance)")
    }
  }

  /// A checkpoint of 3 ranks goes on with 1, 2 and 4, and is written again by each.
  @Test(arguments: RankCase.all.prefix(12), [1, 2, 4]) func resumesWithAnotherNumber(rankCase: RankCase, ranks: Int)
    throws
  {
    let folder = try TemporaryDirectory()
    let checkpoint = ShardedCheckpoint(folder.url)
    _ = try ThreadedRanks.run(3) { communicator in
      let (state, reducer) = try rankCase.initialised(communicator)
      for step in 0..<2 { _ = try state.step(try rankCase.batch(step), rankCase.settings, reducer: reducer) }
      try ShardedCheckpoint(folder.url).write(state, communicator: communicator)
    }
    let (single, _) = try rankCase.state(SingleRank())
    try checkpoint.restore(single)
    for step in 2..<4 { _ = try single.step(try rankCase.batch(step), rankCase.settings) }

    _ = try ThreadedRanks.run(ranks) { communicator in
      let (state, reducer) = try rankCase.state(communicator)
      try ShardedCheckpoint(folder.url).restore(state)
      for step in 2..<4 { _ = try state.step(try rankCase.batch(step), rankCase.settings, reducer: reducer) }
      try communicator.barrier()
      try ShardedCheckpoint(folder.url).write(state, communicator: communicator)
    }
    let (gathered, _) = try rankCase.state(SingleRank())
    try checkpoint.restore(gathered)
    #expect(gathered.steps == 4)
    #expect(gathered.tokens == 4 * RankCase.tokens)
    for (name, distance) in try distances(single, gathered) {
      #expect(distance <= 1e-5, "\(rankCase) \(name): \(distance)")
    }
    // Slices of the checkpoint before are gone.
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).filter { $0.hasPrefix("state-") }
    #expect(files.count == ranks)
  }

  /// A slice that is missing, cut short or of another run is refused, naming the file.
  @Test func damagedCheckpointsAreRefused() throws {
    let rankCase = RankCase.all[0]
    let folder = try TemporaryDirectory()
    let checkpoint = ShardedCheckpoint(folder.url)
    let (empty, _) = try rankCase.state(SingleRank())
    #expect(throws: TrainingError.self) { try checkpoint.restore(empty) }
    #expect(!checkpoint.exists)
    _ = try ThreadedRanks.run(2) { communicator in
      let (state, _) = try rankCase.initialised(communicator)
      try ShardedCheckpoint(folder.url).write(state, communicator: communicator)
    }
    #expect(checkpoint.exists)
    try checkpoint.restore(empty)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    let slice = folder.url.appending(path: try #require(names.first { $0.contains("-1-of-2") }))
    let bytes = try Data(contentsOf: slice)
    try bytes.dropLast().write(to: slice)
    #expect { try checkpoint.restore(empty) } throws: { "\($0)".contains(slice.lastPathComponent) }
    try FileManager.default.removeItem(at: slice)
    #expect { try checkpoint.restore(empty) } throws: { "\($0)".contains(slice.lastPathComponent) }
    try #"{"schema":1,"steps":0,"slices":{"files":[{"name":"../x","bytes":1}]}}"#
      .write(to: folder.url.appending(path: "manifest.json"), atomically: true, encoding: .utf8)
    #expect { try checkpoint.restore(empty) } throws: { "\($0)".contains("../x") }
  }

  @Test func moreRanksThanFeatures() {
    #expect(throws: TrainingError.self) {
      _ = try ThreadedRanks.run(2) { _ in
        try TrainingShape(
          kind: .sae, width: 1, inputWidth: 4, outputWidth: 4, shard: FeatureShard(rank: 0, count: 2)
        ).localWidth
      }
    }
  }
}
