import Foundation
import Tensors
import TestSupport
import Testing

/// CPU quotas of control groups, in folders that stand for `/sys/fs/cgroup`.
struct ProcessorCountTests {
  let folder: TemporaryDirectory
  init() throws { folder = try TemporaryDirectory() }

  private func set(_ group: String, _ files: [String: String]) throws {
    let url = folder.url.appending(path: group)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    for (name, text) in files { try Data("\(text)\n".utf8).write(to: url.appending(path: name)) }
  }

  private func quota(_ membership: String) -> Int? { ProcessorCount.quota(root: folder.url, membership: membership) }

  @Test func version2() throws {
    #expect(quota("0::/\n") == nil)
    try set("", ["cpu.max": "max 100000"])
    #expect(quota("0::/\n") == nil)
    try set("", ["cpu.max": "250000 100000"])
    #expect(quota("0::/\n") == 3)
    try set("", ["cpu.max": "1000 100000"])
    #expect(quota("0::/\n") == 1)
  }

  @Test func theSmallestLevelCounts() throws {
    try set("", ["cpu.max": "800000 100000"])
    try set("a.slice", ["cpu.max": "200000 100000"])
    try set("a.slice/b.scope", ["cpu.max": "400000 100000"])
    try set("a.slice/c.scope", ["cpu.max": "max 100000"])
    try set("d", ["cpu.max": "50000 100000"])
    #expect(quota("0::/a.slice/b.scope\n") == 2)
    #expect(quota("0::/a.slice/c.scope\n") == 2)
    #expect(quota("0::/d\n") == 1)
    #expect(quota("0::/\n") == 8)
    // Paths of the machine outside a container: only the root is known here.
    #expect(quota("0::/docker/0123\n") == 8)
    #expect(quota("0::/../a.slice\n") == 8)
  }

  @Test func version1() throws {
    let membership = "9:name=systemd:/x\n3:cpuset:/q\n2:cpu,cpuacct:/job:1/inner\n0::/\n"
    #expect(quota(membership) == nil)
    try set("cpu,cpuacct", ["cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"])
    #expect(quota(membership) == nil)
    try set("cpu,cpuacct/job:1", ["cpu.cfs_quota_us": "150000", "cpu.cfs_period_us": "50000"])
    #expect(quota(membership) == 3)
    try set("cpu,cpuacct/job:1/inner", ["cpu.cfs_quota_us": "400000", "cpu.cfs_period_us": "100000"])
    #expect(quota(membership) == 3)
    try set("cpu/job:1/inner", ["cpu.cfs_quota_us": "200000", "cpu.cfs_period_us": "100000"])
    #expect(quota(membership) == 2)
    // A quota of another controller's group is none of ours.
    #expect(quota("3:cpuset:/job:1\n") == nil)
  }

  @Test(arguments: ["", "100000", "a b", "0 100000", "100000 0", "1e300 1", "nan 1", "inf 1", "1 2 3"])
  func whatIsNoQuotaIsPassedOver(_ text: String) throws {
    try set("", ["cpu.max": text])
    #expect(quota("0::/\n") == nil)
    #expect(quota(text) == nil)
  }

  @Test func coresAreShared() {
    func share(_ mine: [Int32], _ others: [[Int32]], quota: Int? = nil) -> Int {
      ProcessorCount.share(of: mine, among: [mine] + others, quota: quota)
    }
    let all = Array(Int32(0)..<8)
    #expect(share(all, []) == 8)
    #expect(share(all, [all]) == 4)
    #expect(share(all, [all, all]) == 2)
    #expect(share([0, 1, 2], [[0, 1, 2], [0, 1, 2]]) == 1)
    #expect(share([0], [[0], [0]]) == 1)
    // Bound apart, each keeps its own; partly shared cores count in part.
    #expect(share([0, 1], [[2, 3], [4, 5]]) == 2)
    #expect(share([0, 1, 2, 3], [[2, 3, 4, 5]]) == 3)
    #expect(share(all, [all], quota: 4) == 2)
    #expect(share(all, [all, all], quota: 2) == 1)
    #expect(ProcessorCount.share(of: ProcessorCount.cores, among: [ProcessorCount.cores]) == ProcessorCount.available)
  }
}
