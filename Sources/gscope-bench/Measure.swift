import Foundation

/// Wall-clock timing and the memory that goes with it.
enum Measure {
  /// Seconds that `body` takes: the median of `repeats` runs after one that is not counted.
  static func median(repeats: Int, _ body: () throws -> Void) rethrows -> Double {
    try body()
    let clock = ContinuousClock()
    let times = try (0..<max(repeats, 1)).map { _ in
      let time = try clock.measure(body).components
      return Double(time.seconds) + Double(time.attoseconds) * 1e-18
    }
    return times.sorted()[times.count / 2]
  }

  /// Seconds of one run.
  static func once<Result>(_ body: () throws -> Result) rethrows -> (result: Result, seconds: Double) {
    let clock = ContinuousClock()
    let start = clock.now
    let result = try body()
    let time = (clock.now - start).components
    return (result, Double(time.seconds) + Double(time.attoseconds) * 1e-18)
  }

  /// The largest resident set of this process so far, in bytes.
  static var peakMemory: Int {
    var usage = rusage()
    #if os(Linux)
      guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
      return usage.ru_maxrss * 1024
    #else
      guard getrusage(RUSAGE_SELF, &usage) == 0 else { return 0 }
      return usage.ru_maxrss
    #endif
  }
}
