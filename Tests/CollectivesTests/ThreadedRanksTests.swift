import Collectives
import TestSupport
import Testing

@Suite struct ThreadedRanksTests {
  /// Lengths at which slices are empty, uneven, or one element.
  private static let lengths = [0, 1, 2, 3, 5, 7, 31, 64, 127, 1009, 4099]

  private static func values(rank: Int, length: Int, seed: UInt64) -> [Float] {
    var random = SeededRandom(seed: seed &* 1000 &+ UInt64(rank))
    return random.floats(length, scale: 1000)
  }

  @Test(arguments: 1...5) func sumsAddInRankOrder(ranks: Int) throws {
    let results = try ThreadedRanks.run(ranks) { communicator in
      try Self.lengths.enumerated().map { seed, length in
        var values = Self.values(rank: communicator.rank, length: length, seed: UInt64(seed))
        try communicator.allReduceSum(&values)
        return values
      }
    }
    for (seed, length) in Self.lengths.enumerated() {
      var expected = Self.values(rank: 0, length: length, seed: UInt64(seed))
      for rank in 1..<max(ranks, 1) {
        for (i, value) in Self.values(rank: rank, length: length, seed: UInt64(seed)).enumerated() {
          expected[i] += value
        }
      }
      for result in results {
        #expect(result[seed].map(\.bitPattern) == expected.map(\.bitPattern), "length \(length)")
      }
    }
  }

  /// The order matters in fp32, so that the test above can fail.
  @Test func orderOfAdditionShows() {
    let values = (0..<5).map { Self.values(rank: $0, length: 4099, seed: 10) }
    let forward = values[0].indices.map { i in values.reduce(Float(0)) { $0 + $1[i] } }
    let backward = values[0].indices.map { i in values.reversed().reduce(Float(0)) { $0 + $1[i] } }
    #expect(forward != backward)
  }

  @Test(arguments: 1...5) func doublesAndIntegers(ranks: Int) throws {
    let results = try ThreadedRanks.run(ranks) { communicator in
      var doubles = (0..<17).map { 1 / Double(1 + $0 + communicator.rank) }
      var integers = (0..<17).map { $0 * (communicator.rank + 1) }
      var extreme = [Int.max, Int.min]
      try communicator.allReduceSum(&doubles)
      try communicator.allReduceSum(&integers)
      try communicator.allReduceSum(&extreme)
      return (doubles, integers)
    }
    let doubles = (0..<17).map { i -> Double in
      var sum = 1 / Double(1 + i)
      for rank in 1..<max(ranks, 1) { sum += 1 / Double(1 + i + rank) }
      return sum
    }
    let integers = (0..<17).map { $0 * ranks * (ranks + 1) / 2 }
    for result in results {
      #expect(result.0 == doubles)
      #expect(result.1 == integers)
    }
  }

  @Test(arguments: 1...5) func gathersAndBroadcasts(ranks: Int) throws {
    let lengths = [0, 13, 1, 0, 257]
    let results = try ThreadedRanks.run(ranks) { communicator in
      let rank = communicator.rank
      let own = (0..<lengths[rank]).map { Int32(rank * 1000 + $0) }
      let all = try communicator.allGather(own)
      let ones = try communicator.gatherOne(rank * rank)
      let last = communicator.count - 1
      let sent = try communicator.broadcast(rank == last ? [3.5, -1] : [Double](), from: last)
      let nothing = try communicator.broadcast([UInt8]())
      try communicator.barrier()
      return (all, ones, sent, nothing, try communicator.any(rank == last), try communicator.any(false))
    }
    let all = (0..<ranks).map { rank in (0..<lengths[rank]).map { Int32(rank * 1000 + $0) } }
    for result in results {
      #expect(result.0 == all)
      #expect(result.1 == (0..<ranks).map { $0 * $0 })
      #expect(result.2 == [3.5, -1])
      #expect(result.3.isEmpty)
      #expect(result.4 && !result.5)
    }
    #expect(results.count == ranks)
  }

  /// Every rank sends every other a slice of its own length.
  @Test(arguments: 1...5) func slicesGoWhereTheyBelong(ranks: Int) throws {
    let good = try ThreadedRanks.run(ranks) { communicator in
      func length(_ from: Int, _ to: Int) -> Int { (from * 7 + to * 3) % 11 }
      let rank = communicator.rank
      let sendCounts = (0..<communicator.count).map { length(rank, $0) }
      let receiveCounts = (0..<communicator.count).map { length($0, rank) }
      var send: [UInt8] = []
      for to in 0..<communicator.count { send += [UInt8](repeating: UInt8(16 * rank + to), count: length(rank, to)) }
      var receive = [UInt8](repeating: 255, count: receiveCounts.reduce(0, +))
      try send.withUnsafeBytes { send in
        try receive.withUnsafeMutableBytes {
          try communicator.allToAll(send, sendCounts: sendCounts, into: $0, receiveCounts: receiveCounts)
        }
      }
      var expected: [UInt8] = []
      for from in 0..<communicator.count {
        expected += [UInt8](repeating: UInt8(16 * from + rank), count: length(from, rank))
      }
      return receive == expected
    }
    #expect(good == Array(repeating: true, count: ranks))
  }

  @Test func aSumLargerThanItsScratch() throws {
    let length = (64 << 20) / 4 + 12_345
    let right = try ThreadedRanks.run(2) { communicator in
      let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: length)
      defer { values.deallocate() }
      for i in 0..<length { values[i] = Float(i % 1000) + Float(communicator.rank) }
      try communicator.allReduceSum(values)
      return (0..<length).allSatisfy { values[$0] == Float(2 * ($0 % 1000) + 1) }
    }
    #expect(right == [true, true])
  }

  private struct Fault: Error, Equatable {}

  /// The first error is what the caller sees; ranks that wait are let go.
  @Test func aRankThatFailsEndsTheOthers() {
    #expect(throws: Fault()) {
      try ThreadedRanks.run(3) { communicator in
        try communicator.barrier()
        if communicator.rank == 1 { throw Fault() }
        try communicator.barrier()
      }
    }
  }

  @Test func aRankThatLeavesEndsTheOthers() throws {
    let errors = try ThreadedRanks.run(3) { communicator in
      if communicator.rank == 2 { return "" }
      do { try communicator.barrier() } catch { return "\(error)" }
      return "went on"
    }
    for rank in 0...1 {
      #expect(errors[rank].hasPrefix("lost rank"), "\(errors[rank])")
      #expect(errors[rank].contains("of 3 (seen by rank \(rank) in barrier)"), "\(errors[rank])")
    }
  }

  @Test func ranksThatDisagreeAreTold() throws {
    let errors = try ThreadedRanks.run(2) { communicator in
      do {
        if communicator.rank == 0 { try communicator.barrier() } else { _ = try communicator.any(true) }
      } catch { return "\(error)" }
      return ""
    }
    #expect(errors.contains { $0.contains("expected all ranks in the same call") }, "\(errors)")
    let lengths = try ThreadedRanks.run(2) { communicator in
      do {
        var values = [Float](repeating: 1, count: 10 + communicator.rank * 5)
        try communicator.allReduceSum(&values)
      } catch { return "\(error)" }
      return ""
    }
    #expect(lengths.contains { $0.contains("expected the same lengths on all ranks") }, "\(lengths)")
    let recipes = try ThreadedRanks.run(3) { communicator in
      do {
        try communicator.requireEqual("seed 1", what: "recipe")
        try communicator.requireEqual(communicator.rank == 2 ? "seed 2" : "seed 1", what: "recipe")
      } catch { return "\(error)" }
      return ""
    }
    #expect(recipes == Array(repeating: "rank 2: recipe: expected 'seed 1' as on rank 0, found 'seed 2'", count: 3))
  }

  @Test func oneRankAlone() throws {
    let single = SingleRank()
    var values: [Float] = [1, 2]
    try single.allReduceSum(&values)
    #expect(values == [1, 2])
    #expect(try single.allGather([7]) == [[7]])
    #expect(try single.broadcast([7]) == [7])
    #expect(single.isRoot)
  }
}
