import Foundation

/// The ranks that run on this rank's host, known by their process ids: a rank that was killed is noticed within a tenth of
/// a second, without waiting for the launcher.
struct RankNeighbours {
  /// Rank and process id, this rank included, ascending.
  private var processes: [(rank: Int, id: pid_t)]

  static let none = RankNeighbours(processes: [])

  private init(processes: [(rank: Int, id: pid_t)]) { self.processes = processes }

  /// Learns who is where; all ranks call it.
  init(_ communicator: any Communicator) throws {
    let ids = try communicator.gatherOne(Int(getpid()))
    processes = try communicator.ranksOnThisHost().map { ($0, pid_t(ids[$0])) }
    // Containers may give ranks of one host name process ids of their own, which say nothing here.
    if processes.contains(where: { !Self.isAlive($0.id) }) || Set(processes.map(\.id)).count < processes.count {
      processes = []
    }
  }

  /// Ranks of this host that have ended.
  var lost: [Int] { processes.filter { !Self.isAlive($0.id) }.map(\.rank) }

  func isLowestAlive(_ rank: Int) -> Bool {
    processes.first { Self.isAlive($0.id) }.map { $0.rank == rank } ?? true
  }

  /// A process that has ended but that its parent has not yet waited for counts as ended.
  private static func isAlive(_ id: pid_t) -> Bool {
    guard kill(id, 0) == 0 || errno == EPERM else { return false }
    guard let status = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8) else { return true }
    // `pid (name) S …`; the name may hold anything.
    guard let end = status.lastIndex(of: ")") else { return true }
    return status[end...].dropFirst(2).first != "Z"
  }
}

extension Communicator {
  /// The ranks that run on this rank's host, itself included, ascending. All ranks call it.
  /// - Throws: `CollectivesError`.
  public func ranksOnThisHost() throws -> [Int] {
    let boot = (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)) ?? ""
    let names = try allGather(Array("\(ProcessInfo.processInfo.hostName)/\(boot)".utf8))
    return names.indices.filter { names[$0] == names[rank] }
  }
}
