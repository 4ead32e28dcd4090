/// How this process was started, as far as ranks are concerned: read from the variables that launchers set, so that an
/// ordinary run never looks for an MPI library.
public struct Launcher: Equatable, Sendable {
  public enum Family: Equatable, Sendable {
    case openMPI
    case mpich
    /// PMIx or Slurm's PMI: both families use them.
    case either
  }

  public let family: Family
  /// How many ranks the launcher says there are; nil where it leaves that to MPI.
  public let ranks: Int?

  /// Nil when no launcher started this process.
  ///
  /// `SLURM_NTASKS` alone does not count: a batch script has it too, without being a rank.
  public init?(_ environment: [String: String]) {
    func number(_ name: String) -> Int? { environment[name].flatMap { Int($0) } }
    if environment["OMPI_COMM_WORLD_SIZE"] != nil {
      family = .openMPI
      ranks = number("OMPI_COMM_WORLD_SIZE")
    } else if environment["PMI_SIZE"] != nil || environment["MPI_LOCALNRANKS"] != nil {
      // Slurm's own PMI-1 sets PMI_SIZE as well; there either family may have been meant.
      family = environment["SLURM_PROCID"] != nil && environment["MPI_LOCALNRANKS"] == nil ? .either : .mpich
      ranks = number("PMI_SIZE")
    } else if environment["PMIX_RANK"] != nil || environment["PMI_RANK"] != nil || environment["PMI_FD"] != nil {
      family = .either
      ranks = environment["SLURM_PROCID"] == nil ? nil : number("SLURM_STEP_NUM_TASKS") ?? number("SLURM_NTASKS")
    } else {
      return nil
    }
  }

  /// Library names to try in turn. `GSCOPE_MPI` names the only one.
  func libraries(_ environment: [String: String]) -> [String] {
    if let named = environment["GSCOPE_MPI"], !named.isEmpty { return [named] }
    #if os(macOS)
      let open = ["libmpi.40.dylib"].flatMap { ["/opt/homebrew/lib/\($0)", "/usr/local/lib/\($0)", $0] }
      let mpich = ["libmpi.12.dylib", "libmpich.12.dylib"]
        .flatMap { ["/opt/homebrew/lib/\($0)", "/usr/local/lib/\($0)", $0] }
    #else
      let open = ["libmpi.so.40"]
      // Debian's MPICH; MPICH itself, Intel MPI and MVAPICH; Cray.
      let mpich = ["libmpich.so.12", "libmpi.so.12", "libmpi_cray.so.12"]
    #endif
    return switch family {
    case .openMPI: open + ["libmpi.so"]
    case .mpich: mpich + ["libmpich.so", "libmpi.so"]
    case .either: open + mpich + ["libmpi.so", "libmpich.so"]
    }
  }
}
