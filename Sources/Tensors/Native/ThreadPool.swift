import CKernels
import Foundation

/// The worker threads of a `NativeBackend`, created once and ended with it.
final class ThreadPool: @unchecked Sendable {
  // Safe to share: the C pool serialises its callers.
  let pointer: OpaquePointer
  let threads: Int

  init(threads: Int) throws {
    guard threads >= 1, let pool = gs_pool_create(Int32(clamping: threads)) else {
      throw TensorError.unavailable("cannot start \(threads) threads")
    }
    pointer = pool
    self.threads = threads
  }

  deinit { gs_pool_destroy(pointer) }
}

/// How many threads this process may use.
public enum ProcessorCount {
  /// The cores this process may run on, and no more than the container's CPU quota allows (at least 1).
  public static var available: Int {
    var count = Int(gs_schedulable_processors())
    #if os(Linux)
      if let quota = cgroupQuota() { count = min(count, quota) }
    #endif
    return max(count, 1)
  }

  #if os(Linux)
    /// The quota of control groups (version 2, else 1) in whole cores, rounded up.
    private static func cgroupQuota() -> Int? {
      func number(_ text: Substring) -> Double? { Double(text.trimmingCharacters(in: .whitespacesAndNewlines)) }
      func contents(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
      if let limit = contents("/sys/fs/cgroup/cpu.max")?.split(separator: " "), limit.count == 2,
        let quota = number(limit[0]), let period = number(limit[1]), quota > 0, period > 0
      {
        return max(1, Int((quota / period).rounded(.up)))
      }
      if let quota = contents("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").flatMap({ number($0[...]) }),
        let period = contents("/sys/fs/cgroup/cpu/cpu.cfs_period_us").flatMap({ number($0[...]) }), quota > 0, period > 0
      {
        return max(1, Int((quota / period).rounded(.up)))
      }
      return nil
    }
  #endif
}
