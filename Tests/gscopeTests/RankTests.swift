import Foundation
import TestSupport
import Testing

/// `mpirun -n R gscope doctor --mpi`, for every MPI that is installed.
@Suite(.serialized) struct RankTests {
  private typealias Tool = CommandLineTool

  private typealias Job = RankJobs

  @Test(arguments: RankLauncher.all, [1, 2, 3]) func ranksMeet(launcher: RankLauncher, ranks: Int) throws {
    let job = try Job(launcher, ranks: ranks, ["doctor", "--mpi", "--json"])
    job.process.waitUntilExit()
    #expect(job.process.terminationStatus == 0, "\(job.errorText)")
    let json = try #require(
      try JSONSerialization.jsonObject(with: Data(job.text.utf8)) as? [String: Any], "\(job.text)")
    #expect(json["ok"] as? Bool == true)
    #expect((json["ranks"] as? [[String: Any]])?.count == ranks)
    let checks = try #require(json["checks"] as? [[String: Any]])
    let found = try #require(checks.first?["finding"] as? String)
    #expect(found.contains(ranks == 1 ? "single rank" : launcher.isOpenMPI ? "Open MPI" : "MPICH"), "\(found)")
  }

  @Test(arguments: RankLauncher.all) func theOtherLibraryIsRefused(launcher: RankLauncher) throws {
    guard RankLauncher.all.count == 2 else { return }
    let other = launcher.isOpenMPI ? "libmpich.so.12" : "libmpi.so.40"
    let job = try Job(launcher, ranks: 2, ["doctor", "--mpi"], environment: ["GSCOPE_MPI": other])
    job.process.waitUntilExit()
    #expect(job.process.terminationStatus != 0)
    #expect(job.errorText.contains("the launcher started 2 ranks, but \(other)"), "\(job.errorText)")
  }

  /// A rank that is killed ends the job; where the launcher leaves the others time for it (Open MPI does, MPICH kills them
  /// at once), one of them says so in one line.
  @Test(arguments: RankLauncher.all, [0, 1]) func aLostRankEndsTheJob(launcher: RankLauncher, victim: Int) throws {
    let job = try Job(launcher, ranks: 3, ["doctor", "--mpi", "--seconds", "60"])
    let start = Date()
    func process() -> Int32? {
      job.text.split(separator: "\n").first { $0.hasPrefix("rank \(victim): process ") }
        .flatMap { $0.split(separator: " ").dropFirst(3).first }.flatMap { Int32($0) }
    }
    while process() == nil, job.process.isRunning, Date().timeIntervalSince(start) < 30 { usleep(20_000) }
    let id = try #require(process(), "\(job.text)\(job.errorText)")
    usleep(300_000)
    #expect(kill(id, SIGKILL) == 0)
    job.process.waitUntilExit()
    #expect(Date().timeIntervalSince(start) < 50, "the others hung")
    #expect(job.process.terminationStatus != 0)
    if launcher.isOpenMPI {
      let lines = job.errorText.split(separator: "\n").filter { $0.hasPrefix("gscope:") }
      #expect(lines.count == 1, "\(job.errorText)")
      #expect(lines.first?.contains("lost rank \(victim) of 3") == true, "\(lines)")
    }
  }

  @Test func secondsNeedRanks() throws {
    #expect(try Tool.run(["doctor", "--seconds", "3"]).status == 2)
  }
}
