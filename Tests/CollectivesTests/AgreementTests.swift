import Collectives
import Testing

@Suite struct AgreementTests {
  private struct Fault: Error, CustomStringConvertible {
    let description: String
  }

  /// What a rank got, as text.
  private static func outcome<Value>(_ body: () throws -> Value) -> String {
    do { return "\(try body())" } catch { return "error: \(error)" }
  }

  @Test(arguments: 1...4) func whatSucceedsEverywhereIsReturned(ranks: Int) throws {
    let found = try ThreadedRanks.run(ranks) { communicator in try communicator.together { communicator.rank * 2 } }
    #expect(found == (0..<ranks).map { $0 * 2 })
  }

  @Test(arguments: 2...4) func aFaultOfOneIsThrownByAll(ranks: Int) throws {
    for victim in 0..<ranks {
      let found = try ThreadedRanks.run(ranks) { communicator in
        let first = Self.outcome {
          try communicator.together { if communicator.rank == victim { throw Fault(description: "disk") } }
        }
        // All are at the same point: the next exchange works.
        return [first, "\(try communicator.gatherOne(communicator.rank).count)"]
      }
      #expect(found.allSatisfy { $0 == ["error: rank \(victim) of \(ranks): disk", "\(ranks)"] }, "\(found)")
    }
  }

  @Test func aCommonFaultIsNobodys() throws {
    let found = try ThreadedRanks.run(3) { communicator in
      Self.outcome { try communicator.together { throw Fault(description: "no such file") } }
    }
    #expect(found == Array(repeating: "error: no such file", count: 3))
    // Agreed once, it keeps its words when it is agreed again.
    let nested = try ThreadedRanks.run(3) { communicator in
      Self.outcome {
        try communicator.together {
          try communicator.together { if communicator.rank == 2 { throw Fault(description: "x") } }
        }
      }
    }
    #expect(nested == Array(repeating: "error: rank 2 of 3: x", count: 3))
  }

  @Test func oneRankThrowsItsOwn() {
    #expect(throws: Fault.self) { try SingleRank().together { throw Fault(description: "x") } }
    #expect(throws: Fault.self) { _ = try SingleRank().fromRoot { () -> Int in throw Fault(description: "x") } }
  }

  @Test(arguments: 1...4) func theRootTellsAll(ranks: Int) throws {
    let found = try ThreadedRanks.run(ranks) { communicator in
      try communicator.fromRoot { ["rank \(communicator.rank)", "ä\"\\"] }
    }
    #expect(found.allSatisfy { $0 == ["rank 0", "ä\"\\"] })
    let absent = try ThreadedRanks.run(ranks) { communicator in try communicator.fromRoot { nil as Int? } }
    #expect(absent.allSatisfy { $0 == nil })
    guard ranks > 1 else { return }
    let failed = try ThreadedRanks.run(ranks) { communicator in
      Self.outcome { try communicator.fromRoot { () -> Int in throw Fault(description: "locked") } }
    }
    #expect(failed.allSatisfy { $0 == "error: rank 0 of \(ranks): locked" })
  }

  @Test func ranksOfAProcessShareAHost() throws {
    let found = try ThreadedRanks.run(3) { try $0.ranksOnThisHost() }
    #expect(found == Array(repeating: [0, 1, 2], count: 3))
  }
}
