import CKernels
package import Foundation

/// How many threads this process may use.
public enum ProcessorCount {
  /// The cores this process may run on, and no more than the container's CPU quota allows (at least 1).
  public static var available: Int {
    max(min(Int(gs_schedulable_processors()), quota ?? .max), 1)
  }

  /// The numbers of the cores this process may run on.
  public static var cores: [Int32] {
    [Int32](unsafeUninitializedCapacity: 4096) { ids, count in
      count = Int(gs_list_processors(ids.baseAddress, Int32(ids.count)))
    }
  }

  /// How many cores one of several processes on a host should use so that together they use each once: its part of each
  /// core that it may run on, no more than its part of the container's CPU quota, at least 1.
  /// - Parameter processes: the cores of all of them, `cores` among them.
  public static func share(of cores: [Int32], among processes: [[Int32]]) -> Int {
    share(of: cores, among: processes, quota: quota)
  }

  package static func share(of cores: [Int32], among processes: [[Int32]], quota: Int?) -> Int {
    var users: [Int32: Int] = [:]
    for core in processes.joined() { users[core, default: 0] += 1 }
    // The small beginning makes three thirds one.
    let part = cores.reduce(1e-6) { $0 + 1 / Double(max(users[$1] ?? 1, 1)) }
    return max(1, min(Int(part), quota.map { $0 / max(processes.count, 1) } ?? .max))
  }

  private static var quota: Int? {
    #if os(Linux)
      guard let membership = text(URL(filePath: "/proc/self/cgroup")) else { return nil }
      return quota(root: URL(filePath: "/sys/fs/cgroup"), membership: membership)
    #else
      return nil
    #endif
  }

  /// The smallest CPU quota of the control groups that a process is in, in whole cores, rounded up; nil where none is
  /// set. A quota binds all groups below it, so every level from the process's own to the root is looked at.
  ///
  /// - Parameters:
  ///   - root: where the control groups are mounted: `/sys/fs/cgroup`.
  ///   - membership: the contents of `/proc/self/cgroup`, lines of `id:controllers:path`; version 2 names no
  ///     controllers.
  package static func quota(root: URL, membership: String) -> Int? {
    var smallest: Double?
    for line in membership.split(whereSeparator: \.isNewline) {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let controllers = fields[1].split(separator: ",")
      guard fields[1].isEmpty || controllers.contains("cpu") else { continue }
      // Version 1 mounts a controller under its own name, or under the names of all that share its groups.
      let mounts = fields[1].isEmpty ? [""] : Set(["cpu", String(fields[1])]).sorted()
      for mount in mounts {
        for group in groups(String(fields[2])) {
          let folder = root.appending(path: mount).appending(path: group)
          let cores = fields[1].isEmpty ? coresOfVersion2(folder) : coresOfVersion1(folder)
          if let cores { smallest = min(smallest ?? cores, cores) }
        }
      }
    }
    // More cores than any machine has are no limit (and no Int, perhaps).
    return smallest.flatMap { $0 < 1_000_000 ? max(1, Int($0.rounded(.up))) : nil }
  }

  /// The group at `path` and those above it, up to the root. A container may show a path of the machine outside, which
  /// leads nowhere here: then only the root is found to exist.
  private static func groups(_ path: String) -> [String] {
    var names = path.split(separator: "/").map(String.init)
    if names.contains("..") { names = [] }
    return (0...names.count).reversed().map { names.prefix($0).joined(separator: "/") }
  }

  /// `cpu.max`: quota and period in microseconds, or "max" and the period.
  private static func coresOfVersion2(_ group: URL) -> Double? {
    let fields = (text(group.appending(path: "cpu.max")) ?? "").split(whereSeparator: \.isWhitespace)
    return fields.count == 2 ? cores(quota: Double(fields[0]), period: Double(fields[1])) : nil
  }

  /// A quota of -1 is none.
  private static func coresOfVersion1(_ group: URL) -> Double? {
    func number(_ name: String) -> Double? {
      text(group.appending(path: name)).flatMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
    return cores(quota: number("cpu.cfs_quota_us"), period: number("cpu.cfs_period_us"))
  }

  private static func cores(quota: Double?, period: Double?) -> Double? {
    guard let quota, let period, quota > 0, period > 0 else { return nil }
    return quota / period
  }

  private static func text(_ file: URL) -> String? { try? String(contentsOf: file, encoding: .utf8) }
}
