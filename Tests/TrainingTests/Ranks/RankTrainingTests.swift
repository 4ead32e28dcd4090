import Collectives
import Dictionaries
import Foundation
import Sites
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
      return (reports, try slices(state, in: folder.url, communicator))
    }
    for (found, _) in all {
      #expect(found == all[0].0, "ranks disagree about their figures")
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
    try all[0].1.restore(gathered, from: folder.url)
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
    let before = try ThreadedRanks.run(3) { communicator in
      let (state, reducer) = try rankCase.initialised(communicator)
      for step in 0..<2 { _ = try state.step(try rankCase.batch(step), rankCase.settings, reducer: reducer) }
      return try slices(state, in: folder.url, communicator)
    }[0]
    let (single, _) = try rankCase.state(SingleRank())
    try before.restore(single, from: folder.url)
    for step in 2..<4 { _ = try single.step(try rankCase.batch(step), rankCase.settings) }

    let after = try ThreadedRanks.run(ranks) { communicator in
      let (state, reducer) = try rankCase.state(communicator)
      try before.restore(state, from: folder.url)
      for step in 2..<4 { _ = try state.step(try rankCase.batch(step), rankCase.settings, reducer: reducer) }
      return try slices(state, in: folder.url, communicator)
    }[0]
    let (gathered, _) = try rankCase.state(SingleRank())
    try after.restore(gathered, from: folder.url)
    #expect(gathered.steps == 4)
    #expect(gathered.tokens == 4 * RankCase.tokens)
    for (name, distance) in try distances(single, gathered) {
      #expect(distance <= 1e-5, "\(rankCase) \(name): \(distance)")
    }
    #expect(after.files.count == ranks)
  }

  /// A slice that is missing, cut short or of another place is refused, naming the file.
  @Test func damagedSlicesAreRefused() throws {
    let rankCase = RankCase.all[0]
    let folder = try TemporaryDirectory()
    let (empty, _) = try rankCase.state(SingleRank())
    let written = try ThreadedRanks.run(2) { communicator in
      try slices(try rankCase.initialised(communicator).state, in: folder.url, communicator)
    }[0]
    try written.restore(empty, from: folder.url)
    let name = try #require(written.files.last?.name)
    #expect(name.hasSuffix("-1-of-2.safetensors"))
    let file = folder.url.appending(path: name)
    let bytes = try Data(contentsOf: file)
    try bytes.dropLast().write(to: file)
    #expect { try written.restore(empty, from: folder.url) } throws: { "\($0)".contains(name) }
    try FileManager.default.removeItem(at: file)
    #expect { try written.restore(empty, from: folder.url) } throws: { "\($0)".contains(name) }
    var outside = written
    outside.files[0].name = "../x"
    #expect { try outside.restore(empty, from: folder.url) } throws: { "\($0)".contains("../x") }
  }

  /// A rank that cannot write its slice stops all of them.
  @Test func aRankThatCannotWriteStopsAll() throws {
    let folder = try TemporaryDirectory()
    let outcomes = try ThreadedRanks.run(3) { communicator in
      let state = try RankCase.all[0].initialised(communicator).state
      let place = communicator.rank == 1 ? folder.url.appending(path: "missing") : folder.url
      do {
        _ = try slices(state, in: place, communicator)
        return ""
      } catch { return "\(error)" }
    }
    #expect(Set(outcomes).count == 1)
    #expect(outcomes[0].hasPrefix("rank 1 of 3: ") && outcomes[0].contains("missing"), "\(outcomes)")
  }

  /// What ranks hold together folds into the dictionary that one rank folds.
  @Test(arguments: RankCase.all, [2, 3]) func gatheredDictionariesAreThoseOfOneRank(rankCase: RankCase, ranks: Int)
    throws
  {
    let sites = rankCase.kind.isMultiLayer ? (0..<3).map { Site.residPost($0) } : [.residPost(0)]
    let outputs = rankCase.kind == .transcoder || rankCase.kind == .clt ? sites.map { Site.mlpOut($0.layer) } : sites
    let width = try rankCase.shape(.whole)
    let shape = try DictionaryShape(
      checking: rankCase.kind, reads: sites, writes: outputs, width: width.width, inputWidth: width.inputWidth,
      outputWidth: width.outputWidth, isAffine: rankCase.isAffine)
    let expected = try rankCase.initialised(SingleRank()).state.folded(shape, modelName: "m", targetL0: 7)
    let found = try ThreadedRanks.run(ranks) { communicator in
      try rankCase.initialised(communicator).state.gathered(
        shape, modelName: "m", targetL0: 7, over: communicator)
    }
    #expect(found[0] == expected)
    #expect(found.dropFirst().allSatisfy { $0 == nil })
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

/// Writes every rank's slice.
private func slices(_ state: TrainingState, in folder: URL, _ communicator: any Communicator) throws -> RankSlices {
  let tag = try communicator.fromRoot { Int.random(in: 0...999_999) }
  return try RankSlices(
    writing: try state.tensors(), stem: "state-\(tag)", in: folder, communicator: communicator)
}
