import Foundation
import Training

/// Ranks as threads of one process, which wait for one another at every exchange.
final class RankThreads: @unchecked Sendable {
  // Guarded by `condition`.
  private let condition = NSCondition()
  private var posted: [[Float]?]
  private var left = 0

  private init(_ count: Int) { posted = .init(repeating: nil, count: count) }

  struct Reducer: StepReducer {
    let ranks: RankThreads
    let rank: Int

    func sum(_ values: UnsafeMutableBufferPointer<Float>) {
      let all = ranks.exchange(rank, Array(values))
      for i in values.indices { values[i] = all.reduce(0) { $0 + $1[i] } }
    }

    func gather(_ values: UnsafeBufferPointer<Float>) -> [Float] { ranks.exchange(rank, Array(values)).flatMap { $0 } }
  }

  private func exchange(_ rank: Int, _ values: [Float]) -> [[Float]] {
    condition.lock()
    defer { condition.unlock() }
    // The exchange before must be over.
    while posted[rank] != nil { condition.wait() }
    posted[rank] = values
    condition.broadcast()
    while posted.contains(where: { $0 == nil }) { condition.wait() }
    let all = posted.compactMap { $0 }
    left += 1
    if left == posted.count {
      left = 0
      posted = posted.map { _ in nil }
      condition.broadcast()
    } else {
      while left != 0 { condition.wait() }
    }
    return all
  }

  /// Runs `body` once for every rank, at the same time.
  static func run<Result: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Int, Reducer) throws -> Result
  ) throws -> [Result] {
    let ranks = RankThreads(count)
    let results = Results<Result>(count)
    let threads = (0..<count).map { rank in
      Thread { results.set(rank, Swift.Result { try body(rank, Reducer(ranks: ranks, rank: rank)) }) }
    }
    threads.forEach { $0.start() }
    return try results.wait().map { try $0.get() }
  }

  private final class Results<Value>: @unchecked Sendable {
    // Guarded by `condition`.
    private let condition = NSCondition()
    private var values: [Swift.Result<Value, any Error>?]

    init(_ count: Int) { values = .init(repeating: nil, count: count) }

    func set(_ rank: Int, _ value: Swift.Result<Value, any Error>) {
      condition.lock()
      values[rank] = value
      condition.broadcast()
      condition.unlock()
    }

    func wait() -> [Swift.Result<Value, any Error>] {
      condition.lock()
      defer { condition.unlock() }
      while values.contains(where: { $0 == nil }) { condition.wait() }
      return values.compactMap { $0 }
    }
  }
}
