import Collectives
import Foundation

/// The ranks of a command that works on many.
enum Ranks {
  /// Runs `body` as one rank of the job that `mpirun` or `srun` started, or as the only one. A fault on one rank is written
  /// as one line and ends the job; Ctrl-C is thrown as `CommandError.interrupted` by all ranks at the same point, found with
  /// `Communicator.any(Interruption.isRequested)`.
  static func run<Result>(_ body: (any Communicator) throws -> Result) throws -> Result {
    try RankJob.run(
      environment: ProcessInfo.processInfo.environment, isStopped: { Interruption.isRequested },
      isAgreed: { if case CommandError.interrupted = $0 { true } else { false } },
      report: { Diagnostics.error($0) }, body)
  }
}
