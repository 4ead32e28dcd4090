/// Ranks that cannot work together.
public enum CollectivesError: Error, Equatable, Sendable, CustomStringConvertible {
  /// No MPI library could be opened; `tried` are names and what was wrong with each.
  case library(tried: [String])
  /// The library does not belong to the launcher that started this process.
  case launcher(library: String, launched: Int, seen: Int)
  /// MPI did not start.
  case start(library: String, reason: String)
  /// An MPI call failed.
  case call(operation: String, rank: Int, reason: String)
  /// Other ranks have ended while this one waited for them. `lost` is empty where it is not known which.
  case lostRank(operation: String, rank: Int, lost: [Int], count: Int)
  /// This rank was told to stop while it waited for the others.
  case stopped(operation: String, rank: Int, count: Int)
  /// Something failed on a rank (on all of them alike: nil), and all ranks stop at the same point.
  case failed(rank: Int?, count: Int, reason: String)
  /// Ranks that disagree about what they exchange.
  case mismatch(operation: String, rank: Int, expected: String, found: String)

  public var description: String {
    switch self {
    case .library(let tried):
      "no MPI library can be opened although this process was started as one of several ranks; tried "
        + tried.joined(separator: "; ") + "; install Open MPI or MPICH, or name the library with GSCOPE_MPI"
    case .launcher(let library, let launched, let seen):
      "the launcher started \(launched) ranks, but \(library) sees \(seen): it belongs to another MPI than the launcher; "
        + "name the right library with GSCOPE_MPI"
    case .start(let library, let reason): "\(library) does not start: \(reason)"
    case .call(let operation, let rank, let reason): "rank \(rank): \(operation) failed: \(reason)"
    case .lostRank(let operation, let rank, let lost, let count):
      "lost \(Self.list(lost)) of \(count) (seen by rank \(rank) in \(operation)); the job ends here"
    case .stopped(let operation, let rank, let count):
      "rank \(rank) of \(count) was told to stop while it waited for the others in \(operation)"
    case .failed(let rank, let count, let reason): rank.map { "rank \($0) of \(count): \(reason)" } ?? reason
    case .mismatch(let operation, let rank, let expected, let found):
      "rank \(rank): \(operation): expected \(expected), found \(found)"
    }
  }

  private static func list(_ ranks: [Int]) -> String {
    guard let first = ranks.first else { return "another rank" }
    return ranks.count == 1 ? "rank \(first)" : "ranks " + ranks.map(String.init).joined(separator: ", ")
  }
}
