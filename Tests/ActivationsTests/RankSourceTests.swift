import Activations
import Collectives
import Foundation
import Sites
import TestSupport
import Testing

/// Ranks that share a pass of the model.
@Suite struct RankSourceTests {
  private static let sites: [Site] = [.residPost(2), .attnOut(4), .mlpIn(1)]

  private static func source(
    _ corpus: Corpus, _ communicator: any Communicator = SingleRank(), rows: Int,
    storage: WindowOptions.Storage = .fp32,
    options: HarvestOptions = Tiny.options(), check: @escaping () throws -> Void = {}
  ) throws -> ModelActivationSource {
    try ModelActivationSource(
      Tiny.model(threads: 1), tokenizer: Tiny.tokenizer(), corpus: corpus, sites: sites, options: options,
      window: WindowOptions(rows: rows, seed: 5, storage: storage), communicator: communicator, check: check)
  }

  /// Windows end within batches and within rounds of batches; the last round has too few batches for all ranks.
  @Test(arguments: [1, 2, 3, 5], [37, 100, 5000]) func allHoldTheWindowsOfOneRank(ranks: Int, rows: Int) throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 20)
    var options = Tiny.options()
    options.normFilter = .init(site: .residPost(2), factor: 1.2)
    let storage: WindowOptions.Storage = rows == 100 ? .bf16 : .fp32
    let single = try Self.source(corpus, rows: rows, storage: storage, options: options)
    var states = [single.state]
    var bits: [[[UInt8]]] = []
    while let next = try single.nextWindow() {
      bits.append(try next.bits())
      states.append(single.state)
    }
    let found = try ThreadedRanks.run(ranks) { [options] communicator in
      let source = try Self.source(corpus, communicator, rows: rows, storage: storage, options: options)
      var states = [source.state]
      var bits: [[[UInt8]]] = []
      while let next = try source.nextWindow() {
        bits.append(try next.bits())
        states.append(source.state)
      }
      return (bits, states)
    }
    for rank in found { #expect(rank.0 == bits && rank.1 == states) }
    // Taken up in the middle by another number of ranks.
    let middle = states[states.count / 2]
    let resumed = try ThreadedRanks.run(ranks + 1) { [options] communicator in
      let source = try Self.source(corpus, communicator, rows: rows, storage: storage, options: options)
      try source.restore(middle)
      return try source.windows().map { try $0.bits() }
    }
    for rank in resumed { #expect(rank == Array(bits[(states.count / 2)...])) }
  }

  /// Every batch is run by one rank alone.
  @Test func thePassIsShared() throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 40)
    func layers(_ ranks: Int) throws -> [Int] {
      try ThreadedRanks.run(ranks) { communicator in
        let counter = Counter()
        let source = try Self.source(corpus, communicator, rows: 100) { counter.value += 1 }
        _ = try source.windows()
        return counter.value
      }
    }
    let (one, three) = (try layers(1), try layers(3))
    #expect(three.reduce(0, +) == one[0])
    #expect(three.allSatisfy { $0 * 2 < one[0] })
  }

  /// A stop on one rank stops all, at the place where they were.
  @Test func aStopOfOneStopsAll() throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 30)
    struct Stop: Error {}
    let bits = try Self.source(corpus, rows: 100).windows().map { try $0.bits() }
    let found = try ThreadedRanks.run(2) { communicator in
      let counter = Counter()
      let source = try Self.source(corpus, communicator, rows: 100) {
        counter.value += 1
        if communicator.rank == 1, counter.value == 20 { throw Stop() }
      }
      var bits: [[[UInt8]]] = []
      var stops: [String] = []
      while true {
        do {
          guard let next = try source.nextWindow() else { break }
          bits.append(try next.bits())
        } catch { stops.append("\(error)") }
      }
      return (bits, stops)
    }
    for rank in found { #expect(rank.0 == bits && rank.1 == ["rank 1 of 2: Stop()"], "\(rank.1)") }
  }

  private final class Counter { var value = 0 }
}
