import Collectives
import Foundation
import Tensors
import Training

/// The ranks of a command that works on many.
enum Ranks {
  /// Runs `body` as one rank of the job that `mpirun` or `srun` started, or as the only one. A fault on one rank is written
  /// as one line and ends the job. What all ranks throw at the same point (`Communicator.together`, `check`) ends it in
  /// order, and the root tells: the others keep silent, and end as if all were well, because launchers kill the rest when
  /// the first process fails.
  static func run<Result>(_ body: (any Communicator) throws -> Result) throws -> Result {
    do {
      return try meet(body)
    } catch  where Diagnostics.isQuiet && isAgreed(error) {
      throw CommandError.toldByRoot
    }
  }

  private static func meet<Result>(_ body: (any Communicator) throws -> Result) throws -> Result {
    try RankJob.run(
      environment: ProcessInfo.processInfo.environment, isStopped: { Interruption.isRequested }, isAgreed: isAgreed,
      report: {
        Diagnostics.isQuiet = false
        Diagnostics.error($0)
      },
      { communicator in
        Diagnostics.isQuiet = !communicator.isRoot
        do {
          return try body(communicator)
        } catch CollectivesError.failed(let rank, let count, let reason) {
          // Where a signal stopped a rank, that is what happened.
          try check(communicator)
          throw CollectivesError.failed(rank: rank, count: count, reason: reason)
        }
      })
  }

  private static func isAgreed(_ error: any Error) -> Bool {
    switch error {
    case CommandError.interrupted, CollectivesError.failed, is RunError: true
    default: false
    }
  }

  /// All ranks call it.
  /// - Throws: `CommandError.interrupted`, on all ranks, once a signal came to any.
  static func check(_ communicator: any Communicator) throws {
    let signals = try communicator.gatherOne(Int(Interruption.signal))
    if let signal = signals.first(where: { $0 != 0 }) { throw CommandError.interrupted(signal: Int32(signal)) }
  }

  /// Threads for this rank so that those of a host use each core once; nil for a rank alone. All ranks call it.
  static func threads(_ communicator: any Communicator) throws -> Int? {
    guard communicator.count > 1 else { return nil }
    let cores = try communicator.allGather(ProcessorCount.cores)
    let neighbours = try communicator.ranksOnThisHost()
    return ProcessorCount.share(of: cores[communicator.rank], among: neighbours.map { cores[$0] })
  }
}
