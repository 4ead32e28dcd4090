import CKernels
import Foundation
import Testing

/// What tasks write while they run: one slot per task and one flag per worker.
private final class Ledger: @unchecked Sendable {
  // Safe to share: tasks write slots of their own, and what is read is read after the pool has joined them.
  let runs: UnsafeMutablePointer<Int>
  let workers: UnsafeMutablePointer<Int32>
  let count: Int
  let work: Int

  init(count: Int, work: Int = 0) {
    (self.count, self.work) = (count, work)
    runs = .allocate(capacity: max(1, count))
    runs.initialize(repeating: 0, count: max(1, count))
    workers = .allocate(capacity: max(1, count))
    workers.initialize(repeating: -1, count: max(1, count))
  }

  deinit {
    runs.deallocate()
    workers.deallocate()
  }

  func run(on pool: OpaquePointer) {
    gs_pool_run(
      pool, Int64(count),
      { context, task, worker in
        guard let context else { return }
        let ledger = Unmanaged<Ledger>.fromOpaque(context).takeUnretainedValue()
        var x = UInt64(task) &+ 1
        // Uneven work, so that threads overtake each other.
        for _ in 0..<(ledger.work * Int(task % 7)) { x = x &* 6_364_136_223_846_793_005 &+ 1 }
        ledger.runs[Int(task)] += x == 0 ? 2 : 1
        ledger.workers[Int(task)] = worker
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  func isWhole(threads: Int) -> Bool {
    (0..<count).allSatisfy { runs[$0] == 1 && workers[$0] >= 0 && workers[$0] < threads }
  }
}

@Suite struct PoolTests {
  @Test(arguments: [1, 2, 3, 5, 8]) func everyTaskRunsOnce(threads: Int) throws {
    let pool = try TestPool(threads)
    #expect(gs_pool_threads(pool.handle) == Int32(threads))
    for count in [0, 1, 2, 3, 7, 64, 1000] {
      let ledger = Ledger(count: count, work: 50)
      ledger.run(on: pool.handle)
      #expect(ledger.isWhole(threads: threads), "\(count) tasks")
    }
  }

  @Test func fewerThanOneThreadIsOne() throws {
    #expect(gs_pool_threads(try TestPool(0).handle) == 1)
    #expect(gs_pool_threads(try TestPool(-3).handle) == 1)
  }

  @Test func manyShortRegions() throws {
    let pool = try TestPool(3)
    for round in 0..<20_000 {
      let ledger = Ledger(count: 1 + round % 5)
      ledger.run(on: pool.handle)
      guard ledger.isWhole(threads: 3) else {
        Issue.record("round \(round) lost or repeated a task")
        return
      }
    }
  }

  /// Workers that have gone to sleep wake up, and those about to sleep do not miss work.
  @Test func workAfterIdleTime() throws {
    let pool = try TestPool(4)
    for round in 0..<300 {
      usleep(UInt32(round % 30) * 10)
      let ledger = Ledger(count: 9, work: 2000)
      ledger.run(on: pool.handle)
      #expect(ledger.isWhole(threads: 4))
    }
  }

  @Test func callersTakeTurns() throws {
    let pool = try TestPool(3)
    let handle = UInt(bitPattern: pool.handle)
    let ledgers = (0..<6).map { caller in (0..<200).map { Ledger(count: 1 + ($0 + caller) % 17, work: 20) } }
    DispatchQueue.concurrentPerform(iterations: ledgers.count) { caller in
      guard let pool = OpaquePointer(bitPattern: handle) else { return }
      for ledger in ledgers[caller] { ledger.run(on: pool) }
    }
    #expect(ledgers.allSatisfy { $0.allSatisfy { $0.isWhole(threads: 3) } })
  }

  @Test func poolsComeAndGo() throws {
    for round in 0..<300 {
      let pool = try TestPool(1 + round % 4)
      if round % 3 == 0 { continue }
      let ledger = Ledger(count: round % 11)
      ledger.run(on: pool.handle)
      #expect(ledger.isWhole(threads: 1 + round % 4))
    }
  }
}
