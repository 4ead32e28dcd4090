import Foundation

/// Work on a stream of items by some threads, its results given out in the order of the items. Reading and giving out
/// happen on the calling thread, so neither need be safe elsewhere. Unchecked: guarded by `condition`.
final class OrderedWorkers<Input: Sendable, Output: Sendable>: @unchecked Sendable {
  /// Told to work that waits once the run is over.
  struct Stopped: Error {}

  typealias Work = @Sendable (Input, @Sendable () throws -> Void) throws -> Output

  private let count: Int
  private let work: Work
  private let condition = NSCondition()
  private var queue: [(index: Int, input: Input)] = []
  private var results: [Int: Output] = [:]
  private var failure: (index: Int, error: any Error)?
  private var active = 0
  private var isOver = false

  init(count: Int, work: @escaping Work) {
    self.count = count
    self.work = work
  }

  /// Runs to the end of the items. May be called once.
  /// - Parameter onWait: told, where the run ends early, how much work goes on that cannot be stopped at once.
  /// - Throws: what `next`, `check` or `sink` threw, else what the work on the first of the items threw that failed;
  ///   results that were finished have been given out.
  func run(
    next: () throws -> Input?, check: () throws -> Void, onWait: (Int) -> Void, sink: (Output) throws -> Void
  ) throws {
    for _ in 0..<count {
      let thread = Thread { [self] in loop() }
      thread.stackSize = 8 << 20
      thread.start()
    }
    var (read, given, isRead, isTaken) = (0, 0, false, true)
    do {
      while true {
        try check()
        // Twice as many items as threads: none waits for the calling thread, and memory stays small.
        while !isRead, locked({ failure == nil }), read - given < 2 * count {
          if let input = try next() {
            put(read, input)
            read += 1
          } else {
            isRead = true
          }
        }
        if let output = take(given) {
          given += 1
          isTaken = false
          try sink(output)
          isTaken = true
          continue
        }
        if let failure = locked({ failure }) { throw failure.error }
        if isRead, given == read { break }
        waitForResult(given)
      }
    } catch {
      end(onWait)
      // A sink that failed once has no use for more.
      if isTaken { for (_, output) in locked({ results }).sorted(by: { $0.key < $1.key }) { try sink(output) } }
      throw error
    }
    end { _ in }
  }

  private func loop() {
    condition.lock()
    defer { condition.unlock() }
    while true {
      while queue.isEmpty, !isOver { condition.wait() }
      guard !isOver else { return }
      let (index, input) = queue.removeFirst()
      active += 1
      condition.unlock()
      let outcome = Result { try work(input) { [self] in if locked({ isOver }) { throw Stopped() } } }
      condition.lock()
      active -= 1
      switch outcome {
      case .success(let output): results[index] = output
      case .failure(let error):
        // What was told to stop did not fail.
        if !(error is Stopped), failure.map({ index < $0.index }) ?? true { failure = (index, error) }
      }
      condition.broadcast()
    }
  }

  private func put(_ index: Int, _ input: Input) {
    locked {
      queue.append((index, input))
      condition.broadcast()
    }
  }

  private func take(_ index: Int) -> Output? { locked { results.removeValue(forKey: index) } }

  private func waitForResult(_ index: Int) {
    locked {
      guard results[index] == nil, failure == nil else { return }
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.1))
    }
  }

  /// Lets no new work begin and waits for what is under way.
  private func end(_ tell: (Int) -> Void) {
    locked {
      isOver = true
      queue = []
      condition.broadcast()
    }
    // What looks whether it is to stop has done so by then; the rest waits for an answer.
    let reaction = Date(timeIntervalSinceNow: Self.reaction)
    let busy = locked {
      while active > 0, condition.wait(until: reaction) {}
      return active
    }
    guard busy > 0 else { return }
    tell(busy)
    locked { while active > 0 { condition.wait() } }
  }

  /// Seconds within which work that can be stopped has stopped.
  private static var reaction: Double { 0.25 }

  private func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
    condition.lock()
    defer { condition.unlock() }
    return try body()
  }
}
