import Foundation
import TestSupport
import Testing

/// Starts a command again and again, each time into a new folder, sends it SIGKILL at a moment of its run, and runs it
/// once more to the end: the folder's files must be those of a run that was left alone.
struct RandomKills {
  /// The command that writes into a folder, and goes on with what it finds there.
  let command: (URL) throws -> [String]
  /// Where folders are made.
  let place: URL
  /// The bytes of a file that must be the same again.
  let contents: (String, Data) -> Data

  /// What `run` saw.
  struct Outcome {
    /// Runs that were killed, and what they left: whether a file was in the making, in the folder or one below.
    var kills = 0
    var killsDuringWrites = 0
  }

  /// - Parameters:
  ///   - count: of kills at moments spread over the run's duration, as an uninterrupted run has it.
  ///   - sights: for each of them one more kill as soon as there is such a file, as a path below the folder (`*` at its
  ///     end stands for any name's rest).
  func run(count: Int, sights: [String], seed: UInt64) throws -> Outcome {
    var random = SeededRandom(seed: seed)
    let whole = place.appending(path: "whole")
    let start = ContinuousClock.now
    try finish(whole)
    var duration = ContinuousClock.now - start
    let expected = try files(whole)
    var outcome = Outcome()
    for trial in 0..<count + sights.count {
      let folder = place.appending(path: "killed-\(trial)")
      var isKilled = false
      if trial >= count {
        isKilled = try kill(folder) { Self.exists(sights[trial - count], in: folder) }
      } else {
        let share = (Double(trial) + Double(random.int(0...999)) / 1000) / Double(count)
        // A run that was done before its moment had come was faster than the first one.
        for _ in 0..<5 where !isKilled {
          try? FileManager.default.removeItem(at: folder)
          let begin = ContinuousClock.now
          let moment = begin + duration * share
          isKilled = try kill(folder) { ContinuousClock.now >= moment }
          if !isKilled { duration = min(duration, ContinuousClock.now - begin) }
        }
      }
      if isKilled {
        outcome.kills += 1
        if Self.exists(".partial-*", in: folder) || Self.exists("checkpoint/.partial-*", in: folder) {
          outcome.killsDuringWrites += 1
        }
      }
      try finish(folder)
      let found = try files(folder)
      #expect(Set(found.keys) == Set(expected.keys), "trial \(trial)")
      for (name, data) in expected { #expect(found[name] == data, "\(name) after trial \(trial)") }
      try FileManager.default.removeItem(at: folder)
    }
    return outcome
  }

  private func finish(_ folder: URL) throws {
    let result = try CommandLineTool.run(try command(folder))
    #expect(result.status == 0, "\(result.errors)")
  }

  /// Kills a run once `isTime`; false when it ended before.
  private func kill(_ folder: URL, when isTime: () -> Bool) throws -> Bool {
    let process = try CommandLineTool.process(try command(folder))
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    while process.isRunning, !isTime() { usleep(50) }
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    return process.terminationReason == .uncaughtSignal
  }

  private static func exists(_ pattern: String, in folder: URL) -> Bool {
    let url = folder.appending(path: pattern)
    guard pattern.hasSuffix("*") else { return FileManager.default.fileExists(atPath: url.path) }
    let names = try? FileManager.default.contentsOfDirectory(atPath: url.deletingLastPathComponent().path)
    return names?.contains { $0.hasPrefix(url.lastPathComponent.dropLast()) } == true
  }

  private func files(_ folder: URL) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
      let url = folder.appending(path: name)
      let isFolder = try url.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true
      files[name] = isFolder ? Data() : contents(name, try Data(contentsOf: url))
    }
    return files
  }
}
