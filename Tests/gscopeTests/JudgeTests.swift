import Foundation
import TestSupport
import Testing

/// `gscope explain` with a judge that answers, from the command line to the atlas.
@Suite struct JudgeTests {
  private typealias Tool = CommandLineTool
  private let place: AtlasPlace
  private let atlas: String

  init() throws {
    place = try AtlasPlace(documents: 40, words: 100)
    atlas = place.path("atlas.sqlite")
    try place.built(atlas, tokens: 3000, ["--dictionary", "sae=" + AtlasPlace.sae])
  }

  private func arguments(_ server: ScriptedServer, _ more: String...) -> [String] {
    ["explain", "--atlas", atlas, "--judge", server.url, "--judge-model", "m", "--max-features", "6"] + more
  }

  private func ledger() throws -> String { try String(contentsOfFile: atlas + "-judge.jsonl", encoding: .utf8) }

  @Test func labelsAndScoresLandInTheAtlas() throws {
    let server = try ScriptedServer([FakeJudge.step])
    defer { server.stop() }
    let run = try Tool.run(arguments(server, "--json"))
    #expect(run.status == 0, "\(run.errors)")
    let report = try run.json()
    let count = server.requests.count
    #expect(report["author"] as? String == "m" && report["requests"] as? Int == count && count > 6)
    #expect((report["spent"] as? Int ?? 0) > 0)
    let part = try #require((report["dictionaries"] as? [[String: Any]])?.first)
    #expect(part["features"] as? Int == 6 && part["labelled"] as? Int == 6)

    var (labels, figures) = (0, 0)
    for index in 0..<37 {
      let shown = try Tool.run(["atlas", "show", atlas, "sae#\(index)", "--json"]).json()
      guard let label = shown["label"] as? String else { continue }
      labels += 1
      let explanation = try #require((shown["explanations"] as? [[String: Any]])?.first)
      #expect(explanation["author"] as? String == "m")
      // A feature without examples to explain from is told from by no model.
      guard label == FakeJudge.label else { continue }
      #expect((explanation["prompt_sha256"] as? String)?.count == 64)
      let scores = try #require(explanation["scores"] as? [[String: Any]])
      #expect(scores.compactMap { $0["test"] as? String } == ["detection", "fuzzing"])
      for score in scores where score["balanced_accuracy"] is Double {
        // A judge that finds the label everywhere is right about all that fires and nothing else.
        #expect(score["judge"] as? String == "m" && score["balanced_accuracy"] as? Double == 0.5)
        #expect((score["tp"] as? Int ?? 0) >= 4 && (score["fp"] as? Int ?? 0) >= 4)
        #expect(score["fn"] as? Int == 0 && score["tn"] as? Int == 0 && score["malformed"] as? Int == 0)
        figures += 1
      }
    }
    #expect(labels == 6 && figures >= 2, "\(labels) labels, \(figures) figures")
    let info = try Tool.run(["info", atlas, "--json"]).json()
    #expect(info["labels"] as? Int == 6 && info["mean_label_score"] as? Double == 0.5)

    // All answers are in the ledger: a second run asks nothing, and comes to the same.
    let again = try Tool.run(arguments(server, "--json"))
    #expect(again.status == 0 && server.requests.count == count, "\(again.errors)")
    let second = try again.json()
    #expect(second["requests"] as? Int == 0 && second["spent"] as? Int == report["spent"] as? Int)
    #expect(try Tool.run(["info", atlas, "--json"]).json()["labels"] as? Int == 6)
  }

  /// Starts the command, which does not outlive the test by more than two minutes.
  private func start(_ arguments: [String], errors: Pipe) throws -> Process {
    let process = try Tool.process(arguments)
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    try process.run()
    let identifier = process.processIdentifier
    DispatchQueue.global().asyncAfter(deadline: .now() + 120) { [weak process] in
      if process?.isRunning == true { kill(identifier, SIGKILL) }
    }
    return process
  }

  private func wait(for server: ScriptedServer, requests: Int) {
    let end = Date(timeIntervalSinceNow: 60)
    while server.requests.count < requests, Date() < end { usleep(10_000) }
  }

  /// Ctrl-C waits for the answers under way and says so; the next run does not ask for them again.
  @Test func interruptedRunsKeepAnswersUnderWay() throws {
    let slow = ScriptedServer.Step.late(seconds: 3, FakeJudge.step)
    let server = try ScriptedServer([slow, slow, FakeJudge.step])
    defer { server.stop() }
    let errors = Pipe()
    let process = try start(arguments(server, "--parallel", "2", "--timeout", "30"), errors: errors)
    wait(for: server, requests: 2)
    kill(process.processIdentifier, SIGINT)
    let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 130)
    #expect(message.contains("waiting for 2 answers under way, at most 30 s"), "\(message)")
    #expect(message.contains("Ctrl-C again") && message.hasSuffix("gscope: interrupted\n"), "\(message)")
    #expect(server.requests.count == 2)
    #expect(try ledger().split(separator: "\n").count { $0.hasPrefix("{\"answered\"") } == 2)
    let next = try Tool.run(arguments(server, "--parallel", "2"))
    #expect(next.status == 0, "\(next.errors)")
    let bodies = server.requests.map(\.body)
    #expect(Set(bodies).count == bodies.count, "something was asked twice")
  }

  @Test func aSecondInterruptionLeavesAtOnce() throws {
    let server = try ScriptedServer([.hang(seconds: 100)])
    defer { server.stop() }
    let errors = Pipe()
    let process = try start(arguments(server, "--parallel", "3"), errors: errors)
    wait(for: server, requests: 3)
    kill(process.processIdentifier, SIGINT)
    var message = ""
    while !message.contains("under way") {
      let more = errors.fileHandleForReading.availableData
      if more.isEmpty { break }
      message += String(decoding: more, as: UTF8.self)
    }
    #expect(message.contains("waiting for 3 answers under way"), "\(message)")
    let start = ContinuousClock.now
    kill(process.processIdentifier, SIGINT)
    process.waitUntilExit()
    #expect(start.duration(to: .now) < .seconds(10))
    // A shell calls either of them status 130.
    let status = (process.terminationReason, process.terminationStatus)
    #expect(status == (.uncaughtSignal, SIGINT) || status == (.exit, 130), "\(status)")
  }
}
