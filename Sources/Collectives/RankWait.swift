import Foundation

/// How a rank waits: a moment without giving the core away, then in short sleeps, so that waiting ranks do not take cores
/// from working ones. It never yields: on a host with other work a yield gives up the core for many milliseconds, a sleep of
/// microseconds does not.
struct RankWait {
  private let start = now()
  private var polls = 0
  private var nextLook = 0.1
  private var stopSeen: Double?

  private static func now() -> Double { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }

  /// Seconds waited so far, ten times a second; nil otherwise.
  mutating func pause() -> Double? {
    polls += 1
    guard polls > 200 else { return nil }
    usleep(20)
    let waited = Self.now() - start
    guard waited >= nextLook else { return nil }
    nextLook = waited + 0.1
    return waited
  }

  /// Seconds since this was first called, `waited` being the time waited until now.
  mutating func secondsSinceStop(_ waited: Double) -> Double {
    let first = stopSeen ?? waited
    stopSeen = first
    return waited - first
  }
}
