import Foundation
import TestSupport
import Testing

/// The built `gscope`, run as users run it.
struct CommandLineTool {
  /// What a run left.
  struct Result {
    let status: Int32
    let output: String
    let errors: String

    /// The output as one JSON object.
    func json() throws -> [String: Any] { try #require(try parse(output) as? [String: Any], "\(output)\(errors)") }

    /// The output as JSON objects, one a line.
    func jsonLines() throws -> [[String: Any]] {
      try output.split(separator: "\n").map { try #require(try parse(String($0)) as? [String: Any]) }
    }

    private func parse(_ text: String) throws -> Any { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
  }

  /// Beside the test bundle: both are products of one build.
  static let binary: URL? = {
    let bundles = Bundle.allBundles.filter { $0.bundlePath.hasSuffix(".xctest") }.map(\.bundleURL)
    let places = [URL(filePath: CommandLine.arguments[0]), Bundle.main.bundleURL] + bundles
    let folders = places.flatMap { [$0, $0.deletingLastPathComponent()] }
    return folders.map { $0.appending(path: "gscope") }.first {
      FileManager.default.isExecutableFile(atPath: $0.path)
        && (try? $0.resourceValues(forKeys: [.isDirectoryKey]))?.isDirectory != true
    }
  }()

  /// The tiny model that fixtures were made with.
  static let model = Fixtures.url("gemma/causal").path

  static func dictionary(_ path: String) -> String { Fixtures.url("dictionaries/\(path)").path }

  /// A process that has not been started; it finds no model but those it is told of.
  static func process(_ arguments: [String], environment: [String: String] = [:], folder: URL? = nil) throws -> Process
  {
    let process = Process()
    guard let binary else { throw CocoaError(.fileNoSuchFile, userInfo: [NSFilePathErrorKey: "gscope"]) }
    process.executableURL = binary
    process.arguments = arguments
    var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("GSCOPE_") }
    variables["HOME"] = "/nonexistent"
    variables["GSCOPE_THREADS"] = "1"
    process.environment = variables.merging(environment) { $1 }
    process.currentDirectoryURL = folder ?? FileManager.default.temporaryDirectory
    return process
  }

  /// Runs to the end. `input` is the standard input.
  static func run(
    _ arguments: [String], input: String = "", environment: [String: String] = [:], folder: URL? = nil
  ) throws -> Result {
    let directory = try TemporaryDirectory()
    let process = try process(arguments, environment: environment, folder: folder)
    // Files rather than pipes: nothing has to be read while it runs.
    let inputFile = try directory.write(Array(input.utf8), as: "input")
    let (outputFile, errorFile) = (try directory.write([], as: "output"), try directory.write([], as: "errors"))
    process.standardInput = try FileHandle(forReadingFrom: inputFile)
    process.standardOutput = try FileHandle(forWritingTo: outputFile)
    process.standardError = try FileHandle(forWritingTo: errorFile)
    try process.run()
    process.waitUntilExit()
    return Result(
      status: process.terminationStatus, output: try String(contentsOf: outputFile, encoding: .utf8),
      errors: try String(contentsOf: errorFile, encoding: .utf8))
  }

  /// Runs a command on the tiny model.
  static func run(_ command: String, _ arguments: String..., input: String = "") throws -> Result {
    try run([command, "--model", model] + arguments, input: input)
  }
}
