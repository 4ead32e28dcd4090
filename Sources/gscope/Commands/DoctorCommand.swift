import ArgumentParser
import Collectives
import Foundation

/// `gscope doctor`
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check this machine, the engine and the model, and say what to do where something is wrong.",
    discussion: """
      Example: gscope doctor
               mpirun -n 4 gscope doctor --mpi
      """)

  @OptionGroup var model: ModelOptions
  @Flag(help: "Write JSON.") var json = false
  @Flag(help: "Instead: check the ranks that mpirun or srun started.") var mpi = false
  @Option(help: ArgumentHelp("With --mpi: keep the ranks busy for so long.", valueName: "s")) var seconds = 0.0

  func validate() throws {
    guard seconds >= 0, seconds.isFinite, mpi || seconds == 0 else {
      throw ValidationError("--seconds needs --mpi and a positive number")
    }
  }

  func run() throws {
    guard !mpi else { return try Ranks.run(checkRanks) }
    let environment = ProcessInfo.processInfo.environment
    let checkups = MachineCheckups.all(environment) + EngineCheckups.all() + ModelCheckups.all(model)
    try Interruption.check()
    try show(checkups, [])
  }

  /// Every rank checks; the first shows.
  private func checkRanks(_ communicator: any Communicator) throws {
    let found = try RankCheckups(communicator, seconds: seconds) { processes, hosts in
      guard communicator.isRoot, !json else { return }
      for (rank, process) in processes.enumerated() {
        try StandardOutput.line("rank \(rank): process \(process) on \(hosts[rank])")
      }
    }
    guard communicator.isRoot else { return }
    let ranks = zip(found.processes, found.hosts).enumerated().map { rank, place -> JSONValue in
      ["rank": .integer(rank), "process": .integer(place.0), "host": .string(place.1)]
    }
    try show(found.checkups, [("ranks", .array(ranks))])
  }

  private func show(_ checkups: [Checkup], _ more: [(key: String, value: JSONValue)]) throws {
    let failed = checkups.filter { $0.status == .failed }
    if json {
      try StandardOutput.line(
        .document([("ok", .bool(failed.isEmpty)), ("checks", .array(checkups.map(\.json)))] + more))
    } else {
      for checkup in checkups { try show(checkup) }
    }
    guard failed.isEmpty else {
      throw CommandError.checkFailed("\(failed.map(\.name).joined(separator: ", ")) failed")
    }
  }

  private func show(_ checkup: Checkup) throws {
    let style: TextStyle = checkup.status == .ok ? .good : checkup.status == .warning ? .warning : .bad
    let label = checkup.status == .ok ? "ok" : checkup.status == .warning ? "warn" : "fail"
    let pad = String(repeating: " ", count: max(0, 5 - label.count))
    let name = checkup.name.padding(toLength: 11, withPad: " ", startingAt: 0)
    try StandardOutput.line("\(style.apply(label))\(pad)\(TextStyle.bold.apply(name))\(checkup.finding)")
    guard let advice = checkup.advice else { return }
    try StandardOutput.line("                \(TextStyle.dim.apply("→ " + advice))")
  }
}
