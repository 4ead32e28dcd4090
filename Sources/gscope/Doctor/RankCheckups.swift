import Collectives
import Foundation

/// What `gscope doctor --mpi` looks at: whether the ranks find each other and add up correctly, and how fast.
struct RankCheckups {
  let checkups: [Checkup]
  let processes: [Int]
  let hosts: [String]

  /// All ranks call it. For `seconds` more, sums are exchanged and checked again and again.
  init(_ communicator: any Communicator, seconds: Double, started: ([Int], [String]) throws -> Void) throws {
    processes = try communicator.gatherOne(Int(getpid()))
    hosts = try communicator.allGather(Array(ProcessInfo.processInfo.hostName.utf8))
      .map { String(decoding: $0, as: UTF8.self) }
    try started(processes, hosts)
    let hostCount = Set(hosts).count
    var found = [
      Checkup(
        "ranks", communicator.count > 1 ? .ok : .warning,
        "\(communicator.name): \(Format.count(communicator.count, "rank")) on \(Format.count(hostCount, "host"))",
        advice: communicator.count > 1 ? nil : "start several: mpirun -n 2 gscope doctor --mpi")
    ]
    found.append(try Self.sums(communicator, seconds: seconds))
    found.append(try Self.rate(communicator))
    checkups = found
  }

  /// Sums whose exact bits every rank can work out by itself.
  private static func sums(_ communicator: any Communicator, seconds: Double) throws -> Checkup {
    let start = Date()
    var rounds = 0
    var isRight = true
    repeat {
      for length in [0, 1, 7, 1000, 65_537] {
        var values = terms(rank: communicator.rank, length: length, round: rounds)
        try communicator.allReduceSum(&values)
        var expected = terms(rank: 0, length: length, round: rounds)
        for rank in 1..<max(communicator.count, 1) {
          let others = terms(rank: rank, length: length, round: rounds)
          for i in expected.indices { expected[i] += others[i] }
        }
        isRight = isRight && values.map(\.bitPattern) == expected.map(\.bitPattern)
      }
      rounds += 1
      // Ranks agree on the time and on signals, so that all leave at the same round.
      try Ranks.check(communicator)
    } while try communicator.any(Date().timeIntervalSince(start) < seconds)
    guard try !communicator.any(!isRight) else {
      return Checkup("sums", .failed, "differ from the sum in rank order", advice: "this MPI library loses data")
    }
    return Checkup("sums", .ok, "equal the sum in rank order, bit for bit (\(Format.count(rounds, "round")))")
  }

  private static func terms(rank: Int, length: Int, round: Int) -> [Float] {
    (0..<length).map { i in
      let mixed = UInt32(truncatingIfNeeded: (i &+ 1) &* 2_654_435_761 &+ (rank &+ 1) &* 40_503 &+ round &* 97)
      return Float(mixed >> 8) / Float(1 << 24) - 0.5
    }
  }

  private static func rate(_ communicator: any Communicator) throws -> Checkup {
    // The sums of one training step: 2,048 tokens of 640 numbers, 5 prefixes.
    let length = 5 * 2048 * 640
    var values = [Float](repeating: 1, count: length)
    try communicator.barrier()
    let start = Date()
    let rounds = 3
    for _ in 0..<rounds { try communicator.allReduceSum(&values) }
    let each = Date().timeIntervalSince(start) / Double(rounds)
    let bytes = Double(length * 4)
    return Checkup(
      "rate", .ok,
      "a sum of \(Format.bytes(length * 4)) takes \(Format.short(each * 1000)) ms, "
        + "\(Format.bytes(Int(bytes / max(each, 1e-9))))/s")
  }
}
