import Foundation
import TestSupport
import Testing

/// A launcher and how to call it.
struct RankLauncher: Sendable, CustomStringConvertible {
  let path: String
  let arguments: [String]
  var description: String { path }

  var isOpenMPI: Bool { path.hasSuffix("openmpi") }

  /// Debian's names, which tell the two apart.
  static let all: [RankLauncher] = {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":").map(String.init)
    let found = [("mpirun.openmpi", ["--oversubscribe"]), ("mpirun.mpich", [])].compactMap { name, arguments in
      folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        .map { RankLauncher(path: $0, arguments: arguments) }
    }
    if found.isEmpty {
      print("Tests with mpirun: SKIPPED (no mpirun.openmpi or mpirun.mpich; install openmpi-bin or mpich)")
    }
    return found
  }()
}

/// A command on several ranks. `shell` runs before it in a shell, on each.
struct RankJobs {
  let process: Process
  let output: URL
  let errors: URL
  let folder: TemporaryDirectory

  init(
    _ launcher: RankLauncher, ranks: Int, _ arguments: [String], environment: [String: String] = [:],
    shell: String? = nil
  ) throws {
    folder = try TemporaryDirectory()
    output = try folder.write([], as: "output")
    errors = try folder.write([], as: "errors")
    let tool = try CommandLineTool.process(arguments, environment: environment)
    process = tool
    let binary = try #require(CommandLineTool.binary)
    tool.executableURL = URL(filePath: launcher.path)
    let wrapper = shell.map { ["/bin/sh", "-c", "\($0); exec \"$0\" \"$@\""] } ?? []
    tool.arguments = launcher.arguments + ["-n", "\(ranks)"] + wrapper + [binary.path] + arguments
    tool.environment?["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
    tool.environment?["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    tool.environment?["HOME"] = folder.url.path
    tool.standardOutput = try FileHandle(forWritingTo: output)
    tool.standardError = try FileHandle(forWritingTo: errors)
    try tool.run()
  }

  var text: String { (try? String(contentsOf: output, encoding: .utf8)) ?? "" }
  var errorText: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }
}
