import Foundation
import TestSupport
import Testing

@Suite struct InterruptionTests {
  private typealias Tool = CommandLineTool

  /// Starts a process that does not outlive the test by more than two minutes, should it not react as it ought to.
  private func start(_ process: Process) throws {
    try process.run()
    let identifier = process.processIdentifier
    DispatchQueue.global().asyncAfter(deadline: .now() + 120) { [weak process] in
      if process?.isRunning == true { kill(identifier, SIGKILL) }
    }
  }

  @Test func waitingForInputEnds() throws {
    let process = try Tool.process(["tokenize", "--model", Tool.model, "--texts", "-"])
    let (input, output, errors) = (Pipe(), Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    process.standardError = errors
    try start(process)
    // The first answer shows that it is up and waiting for more.
    input.fileHandleForWriting.write(Data("{\"id\":1,\"text\":\"a\"}\n".utf8))
    let line = output.fileHandleForReading.availableData
    #expect(!line.isEmpty)
    kill(process.processIdentifier, SIGINT)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 130)
    let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    #expect(message == "gscope: interrupted\n")
  }

  @Test(arguments: [
    (["logits", "--top-k", "1"], SIGINT, Int32(130)), (["logits", "--top-k", "1"], SIGTERM, Int32(143)),
    (["activations", "--site", "embed"], SIGINT, Int32(130)),
  ])
  func workEndsAndLeavesNoFile(command: [String], signal: Int32, status: Int32) throws {
    let directory = try TemporaryDirectory()
    let words = String(repeating: "word ", count: 60)
    let lines = (0..<4000).map { "{\"id\":\($0),\"text\":\"\(words)\"}" }.joined(separator: "\n")
    let texts = try directory.write(Array(lines.utf8), as: "texts.jsonl")
    let saved = directory.url.appending(path: "saved.safetensors")
    let process = try Tool.process(
      command + ["--model", Tool.model, "--texts", texts.path, "--save", saved.path])
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try start(process)
    #expect(!output.fileHandleForReading.availableData.isEmpty)
    let during = try FileManager.default.contentsOfDirectory(atPath: directory.url.path)
    #expect(during.count == 2, "the file in the making stands beside the texts")
    kill(process.processIdentifier, signal)
    // The pipe is drained so that a write under way can end.
    _ = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == status)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["texts.jsonl"])
  }

  @Test func aReaderThatGoesAwayIsNoError() throws {
    let directory = try TemporaryDirectory()
    let lines = (0..<20_000).map { "{\"id\":\($0),\"text\":\"some words to cut\"}" }.joined(separator: "\n")
    let texts = try directory.write(Array(lines.utf8), as: "texts.jsonl")
    let process = try Tool.process(["tokenize", "--model", Tool.model, "--texts", texts.path])
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try start(process)
    _ = output.fileHandleForReading.availableData
    try output.fileHandleForReading.close()
    let message = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(message.isEmpty)
    #expect(process.terminationReason == .uncaughtSignal)
    #expect(process.terminationStatus == SIGPIPE)
  }

  @Test func aFullDiskIsNamed() throws {
    guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
    let process = try Tool.process(["tokenize", "--model", Tool.model, "--text", "a", "--json"])
    let errors = Pipe()
    process.standardOutput = FileHandle(forWritingAtPath: "/dev/full")
    process.standardError = errors
    try start(process)
    let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 1)
    #expect(message.hasPrefix("gscope: error: standard output: "))
  }
}
