import ArgumentParser
import Foundation

/// `gscope doctor`
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check this machine, the engine and the model, and say what to do where something is wrong.",
    discussion: "Example: gscope doctor")

  @OptionGroup var model: ModelOptions
  @Flag(help: "Write JSON.") var json = false

  func run() throws {
    let environment = ProcessInfo.processInfo.environment
    let checkups = MachineCheckups.all(environment) + EngineCheckups.all() + ModelCheckups.all(model)
    try Interruption.check()
    let failed = checkups.filter { $0.status == .failed }
    if json {
      try StandardOutput.line(
        .document([("ok", .bool(failed.isEmpty)), ("checks", .array(checkups.map(\.json)))]))
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
