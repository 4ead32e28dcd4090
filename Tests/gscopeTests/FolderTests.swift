import Foundation
import TestSupport
import Testing

/// Folders that cannot be written as asked, and what is left in them.
@Suite struct FolderTests {
  private typealias Tool = CommandLineTool

  private func harvest(_ corpus: String, _ output: URL) -> [String] {
    [
      "harvest", "--model", Tool.model, "--corpus", corpus, "--site", "resid_post.1", "--context", "64",
      "--rows-per-file", "500", "--output", output.path,
    ]
  }

  private func corpus(_ directory: TemporaryDirectory, lines: Int) throws -> String {
    var random = SeededRandom(seed: UInt64(lines))
    let texts = (0..<lines).map { _ in
      "{\"text\":\"\((0..<60).map { _ in "word\(random.int(0...99))" }.joined(separator: " "))\"}\n"
    }
    return try directory.write(Array(texts.joined().utf8), as: "texts-\(lines).jsonl").path
  }

  @Test func twoHarvestsDoNotMeet() throws {
    let directory = try TemporaryDirectory()
    let texts = try corpus(directory, lines: 4000)
    let output = directory.url.appending(path: "acts")
    let first = try Tool.process(harvest(texts, output))
    first.standardOutput = FileHandle.nullDevice
    first.standardError = FileHandle.nullDevice
    try first.run()
    for _ in 0..<600 where !FileManager.default.fileExists(atPath: output.appending(path: "harvest.json").path) {
      usleep(50_000)
    }
    let second = try Tool.run(harvest(texts, output))
    #expect(second.status == 1)
    #expect(second.errors.contains("(process \(first.processIdentifier)) is writing into it"), "\(second.errors)")
    kill(first.processIdentifier, SIGINT)
    first.waitUntilExit()
    #expect(first.terminationStatus == 130)
    #expect(try !FileManager.default.contentsOfDirectory(atPath: output.path).contains(".lock"))
  }

  @Test func anEmptyCorpusLeavesTheFolderFree() throws {
    let directory = try TemporaryDirectory()
    let empty = try directory.write([], as: "empty.txt").path
    let output = directory.url.appending(path: "acts")
    let failed = try Tool.run(harvest(empty, output))
    #expect(failed.status == 1)
    #expect(failed.errors.split(separator: "\n").count == 1, "\(failed.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: output.path).isEmpty)
    #expect(try Tool.run(harvest(try corpus(directory, lines: 2), output)).status == 0)
  }

  /// Numbers that fit an Int and nothing else.
  @Test(arguments: [
    ["train", "--recipe", "r.json", "--corpus", "c", "--output", "o", "--tokens", "9223372036854775807"],
    ["train", "--recipe", "r.json", "--corpus", "c", "--output", "o", "--seed", "9223372036854775807"],
    ["suite", "build", "r.json", "--corpus", "c", "--output", "o", "--tokens", "9223372036854775807"],
    ["plan", "--model", "270m", "--l0", "9223372036854775807"],
    ["plan", "--model", "270m", "--width", "9223372036854775807"],
    ["plan", "--model", "270m", "--batch", "9223372036854775807"],
  ])
  func hugeNumbersAreRefused(arguments: [String]) throws {
    let result = try Tool.run(arguments)
    #expect(result.status == 2)
    #expect(result.errors.contains(arguments[arguments.count - 2]), "\(result.errors)")
  }
}
