import Foundation

/// Runs a piece of work as one rank of whatever job this process was started in.
public enum RankJob {
  /// Calls `body` with an MPI communicator when a launcher started this process as one of several ranks, else with
  /// `SingleRank`, without looking for MPI.
  ///
  /// When `body` fails on one of several ranks, the others cannot go on: `report` is called with one line (by every rank
  /// for its own faults, by one rank of a host for lost ranks), and the whole job is ended.
  ///
  /// - Parameters:
  ///   - environment: the process's variables.
  ///   - isStopped: whether this process was told to stop, asked while waiting for others.
  ///   - isAgreed: whether an error is one that every rank throws at the same point (see `Communicator.any`); then MPI
  ///     ends in order, and the error is rethrown.
  ///   - report: writes a line for people.
  /// - Throws: `CollectivesError` when MPI cannot be started; what `body` throws.
  public static func run<Result>(
    environment: [String: String], isStopped: @escaping () -> Bool = { false },
    isAgreed: (any Error) -> Bool = { _ in false }, report: (String) -> Void,
    _ body: (any Communicator) throws -> Result
  ) throws -> Result {
    guard let launcher = Launcher(environment), launcher.ranks != 1 else { return try body(SingleRank()) }
    let world = try MPICommunicator(launcher: launcher, environment: environment, isStopped: isStopped)
    do {
      let result = try body(world)
      world.finish()
      return result
    } catch {
      if world.count == 1 || isAgreed(error) {
        world.finish()
        throw error
      }
      end(world, error, report)
      throw error
    }
  }

  private static func end(_ world: MPICommunicator, _ error: any Error, _ report: (String) -> Void) {
    switch error {
    case CollectivesError.lostRank, CollectivesError.stopped:
      // The others leave the reporter a moment, so that one line comes, and one abort.
      if world.isReporter { report("\(error)") } else { usleep(700_000) }
    case is CollectivesError:
      report("\(error)")
    default:
      report("rank \(world.rank) of \(world.count): \(error)")
    }
    // Lines on their way to the launcher should come before its own about the end.
    fflush(nil)
    world.abort(1)
  }
}
