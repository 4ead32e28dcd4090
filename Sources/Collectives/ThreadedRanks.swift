import Foundation

/// Ranks that are threads of this process: for tests, and to see on one machine what many ranks would compute.
public final class ThreadedRanks: Communicator {
  public let rank: Int
  public let count: Int
  public let name = "threads"
  private let group: ThreadedGroup

  init(rank: Int, group: ThreadedGroup) {
    self.rank = rank
    self.group = group
    count = group.count
  }

  /// Runs `body` once for each of `count` ranks, each on a thread of its own, and returns the results in rank order.
  /// - Throws: what the first rank to fail threw; ranks that waited for it get `CollectivesError.lostRank`.
  public static func run<Result: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (any Communicator) throws -> Result
  ) throws -> [Result] {
    let group = ThreadedGroup(count: max(count, 1))
    let outcome = RankResults<Result>(count: group.count)
    for rank in 0..<group.count {
      let thread = Thread {
        do {
          outcome.put(rank, try body(ThreadedRanks(rank: rank, group: group)))
        } catch {
          outcome.fail(error)
        }
        group.leave(rank)
        outcome.end()
      }
      thread.stackSize = 8 << 20
      thread.start()
    }
    return try outcome.wait()
  }

  public func allToAll(
    _ send: UnsafeRawBufferPointer, sendCounts: [Int], into receive: UnsafeMutableRawBufferPointer, receiveCounts: [Int]
  ) throws {
    let post = ThreadedGroup.Post(operation: "all-to-all", send: send, counts: sendCounts)
    try group.exchange(rank, post) { posts in
      var start = 0
      for (other, post) in posts.enumerated() {
        try require(post.counts.count == count && post.counts[rank] == receiveCounts[other], "all-to-all", other)
        let offset = post.counts[..<rank].reduce(0, +)
        copy(post.send, offset, receiveCounts[other], to: receive, at: start)
        start += receiveCounts[other]
      }
    }
  }

  public func allGather(_ send: UnsafeRawBufferPointer, into receive: UnsafeMutableRawBufferPointer, counts: [Int])
    throws
  {
    try group.exchange(rank, .init(operation: "all-gather", send: send, counts: counts)) { posts in
      var start = 0
      for (other, post) in posts.enumerated() {
        try require(post.send.count == counts[other], "all-gather", other)
        copy(post.send, 0, counts[other], to: receive, at: start)
        start += counts[other]
      }
    }
  }

  public func broadcast(_ buffer: UnsafeMutableRawBufferPointer, from root: Int) throws {
    try group.exchange(rank, .init(operation: "broadcast", send: UnsafeRawBufferPointer(buffer), counts: [])) { posts in
      try require(posts[root].send.count == buffer.count, "broadcast", root)
      if rank != root { copy(posts[root].send, 0, buffer.count, to: buffer, at: 0) }
    }
  }

  public func barrier() throws {
    try group.exchange(rank, .init(operation: "barrier", send: .init(start: nil, count: 0), counts: [])) { _ in }
  }

  private func require(_ condition: Bool, _ operation: String, _ other: Int) throws {
    guard condition else {
      throw CollectivesError.mismatch(
        operation: operation, rank: rank, expected: "the same lengths on all ranks", found: "others on rank \(other)")
    }
  }

  private func copy(
    _ source: UnsafeRawBufferPointer, _ offset: Int, _ length: Int, to target: UnsafeMutableRawBufferPointer,
    at start: Int
  ) {
    guard length > 0 else { return }
    UnsafeMutableRawBufferPointer(rebasing: target[start..<start + length])
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[offset..<offset + length]))
  }
}
