import Collectives
import Testing

@Suite struct LauncherTests {
  @Test func ordinaryRunsHaveNone() {
    #expect(Launcher([:]) == nil)
    #expect(Launcher(["PATH": "/usr/bin", "SLURM_NTASKS": "8", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7"]) == nil)
  }

  @Test(
    arguments: [
      (["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1", "PMIX_RANK": "1"], Launcher.Family.openMPI, 4),
      (["PMI_SIZE": "3", "PMI_RANK": "0", "MPI_LOCALNRANKS": "3"], .mpich, 3),
      (["PMI_SIZE": "3", "PMI_RANK": "0"], .mpich, 3),
      (["PMI_SIZE": "16", "SLURM_PROCID": "2", "SLURM_NTASKS": "16"], .either, 16),
      (["PMIX_RANK": "5", "SLURM_PROCID": "5", "SLURM_NTASKS": "16", "SLURM_STEP_NUM_TASKS": "8"], .either, 8),
      (["PMIX_RANK": "5"], .either, nil), (["PMI_FD": "9", "PMI_RANK": "1"], .either, nil),
    ] as [([String: String], Launcher.Family, Int?)])
  func launchersAreKnown(environment: [String: String], family: Launcher.Family, ranks: Int?) {
    let launcher = Launcher(environment)
    #expect(launcher?.family == family)
    #expect(launcher?.ranks == ranks)
  }

  @Test func aSingleRankNeedsNoMPI() throws {
    for environment in [[:], ["OMPI_COMM_WORLD_SIZE": "1", "GSCOPE_MPI": "/nowhere"]] {
      let name = try RankJob.run(environment: environment, report: { _ in }) { $0.name }
      #expect(name == "single rank")
    }
  }

  @Test func aMissingLibraryIsNamed() {
    let environment = ["PMI_SIZE": "2", "GSCOPE_MPI": "/nowhere/libmpi.so"]
    do {
      _ = try RankJob.run(environment: environment, report: { _ in }) { $0.count }
      Issue.record("MPI came from nowhere")
    } catch {
      #expect("\(error)".contains("/nowhere/libmpi.so"), "\(error)")
      #expect("\(error)".contains("GSCOPE_MPI"))
      #expect(!"\(error)".contains("\n"))
    }
  }

  /// A library that opens but is something else is not called into.
  @Test func anotherLibraryIsRefused() {
    #if os(Linux)
      do {
        _ = try RankJob.run(environment: ["PMI_SIZE": "2", "GSCOPE_MPI": "libm.so.6"], report: { _ in }) { $0.count }
        Issue.record("the mathematics library became MPI")
      } catch {
        #expect("\(error)".contains("libm.so.6: has no MPI_Init_thread"), "\(error)")
      }
    #endif
  }
}
