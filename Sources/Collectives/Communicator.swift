/// The ranks of one job and how they exchange bytes.
///
/// Ranks run the same program and meet in the same calls in the same order. What is built on the four exchanges below
/// (sums, gathers of arrays, votes) is the same for every implementation, so a result depends on the number of ranks and
/// never on the library that carried the bytes. A communicator is used by one thread at a time.
public protocol Communicator: AnyObject {
  /// 0 ..< `count`.
  var rank: Int { get }
  /// How many ranks there are, at least 1.
  var count: Int { get }
  /// For people: `Open MPI v4.1.4`, `threads`, `single rank`.
  var name: String { get }

  /// Slice j of `send` (slices stand one after another, `sendCounts[j]` bytes each) goes to rank j; `receive` gets the
  /// slices from ranks 0, 1, …, `receiveCounts[j]` bytes from rank j. At most 1 GiB a call.
  func allToAll(
    _ send: UnsafeRawBufferPointer, sendCounts: [Int], into receive: UnsafeMutableRawBufferPointer, receiveCounts: [Int]
  )
    throws

  /// `receive` gets every rank's `send` in rank order, `counts[j]` bytes from rank j.
  func allGather(_ send: UnsafeRawBufferPointer, into receive: UnsafeMutableRawBufferPointer, counts: [Int]) throws

  /// Copies the root's bytes to all ranks; every rank passes a buffer of the same length.
  func broadcast(_ buffer: UnsafeMutableRawBufferPointer, from root: Int) throws

  /// Returns when all ranks have called it.
  func barrier() throws
}

extension Communicator {
  /// Whether this rank does what one rank alone is to do (writing manifests, showing progress).
  public var isRoot: Bool { rank == 0 }
}

/// The only rank of a job: every exchange is a copy.
public final class SingleRank: Communicator {
  public let rank = 0
  public let count = 1
  public let name = "single rank"

  public init() {}

  public func allToAll(
    _ send: UnsafeRawBufferPointer, sendCounts: [Int], into receive: UnsafeMutableRawBufferPointer, receiveCounts: [Int]
  ) throws { try copy(send, receive, "all-to-all") }

  public func allGather(_ send: UnsafeRawBufferPointer, into receive: UnsafeMutableRawBufferPointer, counts: [Int])
    throws
  { try copy(send, receive, "all-gather") }

  public func broadcast(_ buffer: UnsafeMutableRawBufferPointer, from root: Int) throws {}
  public func barrier() throws {}

  private func copy(
    _ send: UnsafeRawBufferPointer, _ receive: UnsafeMutableRawBufferPointer, _ operation: String
  ) throws {
    guard receive.count >= send.count else {
      throw CollectivesError.mismatch(
        operation: operation, rank: 0, expected: "room for \(send.count) bytes", found: "\(receive.count)")
    }
    receive.copyMemory(from: send)
  }
}
