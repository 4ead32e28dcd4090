import CMPI
import Foundation

/// Ranks started by `mpirun`, `mpiexec` or `srun`, over an MPI library opened at run time: Open MPI 3 and later, or
/// MPICH 3.2 and those that share its interface (Intel MPI, MVAPICH, Cray MPICH).
///
/// While a rank waits, it watches for the end of other ranks on its own host and for being told to stop, so that neither
/// leaves it hanging. One thread at a time; start it once per process, through `RankJob.run`.
public final class MPICommunicator: Communicator {
  public let rank: Int
  public let count: Int
  public let name: String
  let mpi: OpaquePointer
  let library: String
  private let isStopped: () -> Bool
  private(set) var neighbours = RankNeighbours.none
  /// How long a rank that was told to stop goes on waiting for others that were told the same a moment later.
  private let grace = 5.0

  /// Opens the library and starts MPI.
  /// - Parameter isStopped: whether this process has been told to stop (a signal came); asked while waiting.
  /// - Throws: `CollectivesError.library`, `.start`, `.launcher`.
  init(launcher: Launcher, environment: [String: String], isStopped: @escaping () -> Bool) throws {
    (mpi, library) = try Self.open(launcher.libraries(environment))
    self.isStopped = isStopped
    // Open MPI yields within every test where ranks are more than cores; see `RankWait`.
    setenv("OMPI_MCA_mpi_yield_when_idle", "0", 0)
    var message = [CChar](repeating: 0, count: 1024)
    guard gs_mpi_start(mpi, &message, message.count) == Int32(GS_MPI_OK) else {
      throw CollectivesError.start(library: library, reason: text(message))
    }
    rank = Int(gs_mpi_rank(mpi))
    count = Int(gs_mpi_size(mpi))
    let version = String(cString: gs_mpi_version(mpi))
    name = String(version.prefix { $0 != "," }).replacingOccurrences(of: " Version: ", with: " ")
    if let launched = launcher.ranks, launched != count {
      throw CollectivesError.launcher(library: "\(library) (\(name))", launched: launched, seen: count)
    }
    neighbours = try RankNeighbours(self)
  }

  private static func open(_ candidates: [String]) throws -> (OpaquePointer, String) {
    var tried: [String] = []
    for library in candidates {
      var message = [CChar](repeating: 0, count: 1024)
      var mpi: OpaquePointer?
      if gs_mpi_open(library, &mpi, &message, message.count) == Int32(GS_MPI_OK), let mpi { return (mpi, library) }
      let reason = text(message)
      tried.append(reason.hasPrefix(library) ? reason : "\(library): \(reason)")
    }
    throw CollectivesError.library(tried: tried)
  }

  /// Whether this rank is the one of its host that tells people when ranks are lost: the lowest that still runs.
  var isReporter: Bool { neighbours.isLowestAlive(rank) }

  /// Ends MPI; all ranks call it.
  func finish() { _ = gs_mpi_finish(mpi) }

  /// Ends all ranks with this exit status.
  func abort(_ status: Int32) { gs_mpi_abort(mpi, status) }

  public func allToAll(
    _ send: UnsafeRawBufferPointer, sendCounts: [Int], into receive: UnsafeMutableRawBufferPointer, receiveCounts: [Int]
  ) throws {
    let (counts, offsets) = try (narrow(sendCounts, "all-to-all"), narrowOffsets(sendCounts, "all-to-all"))
    let (others, places) = try (narrow(receiveCounts, "all-to-all"), narrowOffsets(receiveCounts, "all-to-all"))
    try complete("all-to-all") {
      gs_mpi_begin_all_to_all(mpi, pointer(send), counts, offsets, pointer(receive), others, places)
    }
  }

  public func allGather(_ send: UnsafeRawBufferPointer, into receive: UnsafeMutableRawBufferPointer, counts: [Int])
    throws
  {
    guard counts.count == count, send.count == counts[rank], receive.count >= counts.reduce(0, +) else {
      throw CollectivesError.mismatch(
        operation: "all-gather", rank: rank, expected: "\(counts) bytes", found: "\(send.count) on this rank")
    }
    guard counts.reduce(0, +) <= Self.mostBytes else { return try gatherByBroadcasts(send, receive, counts) }
    let (lengths, offsets) = try (narrow(counts, "all-gather"), narrowOffsets(counts, "all-gather"))
    try complete("all-gather") {
      gs_mpi_begin_all_gather(mpi, pointer(send), Int32(send.count), pointer(receive), lengths, offsets)
    }
  }

  public func broadcast(_ buffer: UnsafeMutableRawBufferPointer, from root: Int) throws {
    for start in stride(from: 0, to: buffer.count, by: Self.mostBytes) {
      let length = min(Self.mostBytes, buffer.count - start)
      try complete("broadcast") {
        gs_mpi_begin_broadcast(mpi, buffer.baseAddress.map { $0 + start }, Int32(length), Int32(root))
      }
    }
  }

  public func barrier() throws { try complete("barrier") { gs_mpi_begin_barrier(mpi) } }

  /// Counts and displacements are 32-bit in MPI 3.
  private static let mostBytes = 1 << 30

  private func gatherByBroadcasts(
    _ send: UnsafeRawBufferPointer, _ receive: UnsafeMutableRawBufferPointer, _ counts: [Int]
  ) throws {
    var start = 0
    for (root, length) in counts.enumerated() {
      let place = UnsafeMutableRawBufferPointer(rebasing: receive[start..<start + length])
      if root == rank { place.copyMemory(from: send) }
      try broadcast(place, from: root)
      start += length
    }
  }

  /// Waits for the operation that `begin` starts.
  private func complete(_ operation: String, _ begin: () -> Int32) throws {
    try check(begin(), operation)
    var wait = RankWait()
    while true {
      var done: Int32 = 0
      try check(gs_mpi_test(mpi, &done), operation)
      if done != 0 { return }
      guard let waited = wait.pause() else { continue }
      let lost = neighbours.lost
      guard lost.isEmpty else {
        throw CollectivesError.lostRank(operation: operation, rank: rank, lost: lost, count: count)
      }
      if isStopped(), wait.secondsSinceStop(waited) > grace {
        throw CollectivesError.stopped(operation: operation, rank: rank, count: count)
      }
    }
  }

  private func check(_ code: Int32, _ operation: String) throws {
    guard code != 0 else { return }
    var message = [CChar](repeating: 0, count: 2048)
    gs_mpi_error_text(mpi, code, &message, message.count)
    throw CollectivesError.call(operation: operation, rank: rank, reason: text(message))
  }

  private func narrow(_ counts: [Int], _ operation: String) throws -> [Int32] {
    guard counts.count == count, counts.allSatisfy({ $0 >= 0 }), counts.reduce(0, +) <= Self.mostBytes else {
      throw CollectivesError.mismatch(
        operation: operation, rank: rank, expected: "\(count) slices of at most 1 GiB together",
        found: "\(counts.count) of \(counts.reduce(0, +)) bytes")
    }
    return counts.map { Int32($0) }
  }

  private func narrowOffsets(_ counts: [Int], _ operation: String) throws -> [Int32] {
    var start: Int32 = 0
    return try narrow(counts, operation).map { length in
      defer { start += length }
      return start
    }
  }
}

/// MPI libraries may reject NULL even where nothing is sent. Safe to share and never freed: it stands for buffers of no
/// bytes, so nobody reads or writes it.
nonisolated(unsafe) private let nothing = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)
private func pointer(_ buffer: UnsafeRawBufferPointer) -> UnsafeRawPointer { buffer.baseAddress ?? .init(nothing) }
private func pointer(_ buffer: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawPointer {
  buffer.baseAddress ?? nothing
}

private func text(_ message: [CChar]) -> String {
  String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
