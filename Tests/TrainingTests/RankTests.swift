import Checkpoints
import Dictionaries
import Foundation
import Tensors
import TestSupport
import Testing
import Training

@Suite struct RankTests {
  /// Three steps of 2 and 3 ranks from one saved state end where one rank does.
  @Test(arguments: TwinCase.names, [2, 3]) func asOneRank(name: String, ranks: Int) throws {
    let twin = try TwinCase(name)
    let single = try twin.state(NativeBackend(threads: 1))
    let expected = try (0..<3).map { try single.step(try twin.batch($0), twin.settings) }
    let folder = try TemporaryDirectory()

    let reports = try RankThreads.run(ranks) { rank, reducer in
      let twin = try TwinCase(name, shard: FeatureShard(rank: rank, count: ranks))
      let state = try twin.state(NativeBackend(threads: 1))
      let reports = try (0..<3).map { try state.step(try twin.batch($0), twin.settings, reducer: reducer) }
      try SafetensorsWriter.write(state.tensors(), to: folder.url.appending(path: "\(rank).safetensors"))
      return reports
    }
    for rank in 0..<ranks {
      for (report, wanted) in zip(reports[rank], expected) {
        #expect(abs(report.loss - wanted.loss) <= 1e-5 * wanted.loss && report.pairs == wanted.pairs)
        #expect(abs(report.fvu - wanted.fvu) <= 1e-5 && report.l0 == wanted.l0 && report.deadShare == wanted.deadShare)
        #expect(abs(report.gradientNorm - wanted.gradientNorm) <= 1e-4 * wanted.gradientNorm)
      }
    }
    // All shards together make a whole state again.
    let together = try twin.state(NativeBackend(threads: 1))
    try together.restore((0..<ranks).map { try SafetensorsFile(folder.url.appending(path: "\($0).safetensors")) })
    let (values, wanted) = (try together.tensors(), try single.tensors())
    for parameter in twin.parameters {
      let mask = try twin.values("mask.\(parameter)")
      let (a, b) = (try values["\(parameter).value"]?.read() ?? [], try wanted["\(parameter).value"]?.read() ?? [])
      var worst: Float = 0
      for i in b.indices where mask[i] == 1 { worst = max(worst, abs(a[i] - b[i])) }
      #expect(worst <= 1e-4 && a.count == b.count, "\(name), \(ranks) ranks, \(parameter): \(worst)")
    }
    #expect(try values["counters"]?.readIntegers() == wanted["counters"]?.readIntegers())
  }

  @Test func shardsCoverAllFeatures() throws {
    for width in [1, 5, 16, 31] {
      for count in 1...min(width, 6) {
        let shards = try (0..<count).map { try FeatureShard(rank: $0, count: count) }
        let features = shards.flatMap { shard in (0..<shard.localCount(width)).map(shard.feature) }
        #expect(features.sorted() == Array(0..<width))
        for prefix in 0...width {
          #expect(shards.reduce(0) { $0 + $1.localCount(prefix) } == prefix)
        }
      }
    }
  }

  /// A dictionary starts the same on any number of ranks.
  @Test func initialisation() throws {
    let whole = try fresh(.whole)
    let folder = try TemporaryDirectory()
    for rank in 0..<3 {
      try SafetensorsWriter.write(
        try fresh(FeatureShard(rank: rank, count: 3)).tensors(), to: folder.url.appending(path: "\(rank)"))
    }
    let together = try fresh(.whole, seed: 99)
    #expect(try together.tensors().mapValues { try $0.bytes() } != whole.tensors().mapValues { try $0.bytes() })
    try together.restore((0..<3).map { try SafetensorsFile(folder.url.appending(path: "\($0)")) })
    #expect(try together.tensors().mapValues { try $0.bytes() } == whole.tensors().mapValues { try $0.bytes() })
  }

  private func fresh(_ shard: FeatureShard, seed: UInt64 = 4) throws -> TrainingState {
    let shape = try TrainingShape(
      kind: .clt, sources: 2, width: 17, inputWidth: 6, outputWidth: 4, isAffine: true, shard: shard)
    let state = try TrainingState(
      shape: shape, objective: TrainingObjective(activation: .jumpReLU), normalisation: .none(shape),
      backend: NativeBackend(threads: 1))
    try state.initialise(Initialisation(seed: seed, encoder: .independent))
    return state
  }
}
