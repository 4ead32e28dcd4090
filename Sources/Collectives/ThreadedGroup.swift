import Foundation

/// Where the threads of `ThreadedRanks` meet. Unchecked: everything is guarded by `condition`; the posts' pointers are read
/// only between the two meetings of an exchange, while their owners wait.
final class ThreadedGroup: @unchecked Sendable {
  /// What a rank offers the others in one exchange.
  struct Post {
    let operation: String
    let send: UnsafeRawBufferPointer
    let counts: [Int]
  }

  let count: Int
  private let condition = NSCondition()
  private var posts: [Post?]
  private var arrived = 0
  private var generation = 0
  private var left: [Int] = []

  init(count: Int) {
    self.count = count
    posts = Array(repeating: nil, count: count)
  }

  /// Meets, lets `read` take from what the others posted, and meets again so that every post stays valid until all have
  /// read it.
  func exchange(_ rank: Int, _ post: Post, _ read: ([Post]) throws -> Void) throws {
    condition.lock()
    posts[rank] = post
    condition.unlock()
    try meet(rank, post.operation)
    condition.lock()
    let all = posts.compactMap { $0 }
    condition.unlock()
    // Ranks in different calls would read each other's posts wrongly.
    guard all.allSatisfy({ $0.operation == post.operation }) else {
      throw CollectivesError.mismatch(
        operation: post.operation, rank: rank, expected: "all ranks in the same call",
        found: Set(all.map(\.operation)).sorted().joined(separator: ", "))
    }
    try read(all)
    try meet(rank, post.operation)
  }

  /// This rank will meet nobody any more.
  func leave(_ rank: Int) {
    condition.lock()
    left.append(rank)
    condition.broadcast()
    condition.unlock()
  }

  private func meet(_ rank: Int, _ operation: String) throws {
    condition.lock()
    defer { condition.unlock() }
    let meeting = generation
    arrived += 1
    if arrived == count {
      arrived = 0
      generation += 1
      condition.broadcast()
      return
    }
    while generation == meeting {
      guard left.isEmpty else {
        throw CollectivesError.lostRank(operation: operation, rank: rank, lost: left.sorted(), count: count)
      }
      condition.wait()
    }
  }
}

/// Results of the threads, and the first error in time. Unchecked: guarded by `condition`.
final class RankResults<Result: Sendable>: @unchecked Sendable {
  private let condition = NSCondition()
  private var results: [Result?]
  private var failure: (any Error)?
  private var running: Int

  init(count: Int) {
    results = Array(repeating: nil, count: count)
    running = count
  }

  func put(_ rank: Int, _ result: Result) { guarded { results[rank] = result } }
  func fail(_ error: any Error) { guarded { failure = failure ?? error } }

  func end() {
    guarded {
      running -= 1
      condition.signal()
    }
  }

  func wait() throws -> [Result] {
    condition.lock()
    defer { condition.unlock() }
    while running > 0 { condition.wait() }
    if let failure { throw failure }
    return results.compactMap { $0 }
  }

  private func guarded(_ body: () -> Void) {
    condition.lock()
    body()
    condition.unlock()
  }
}
