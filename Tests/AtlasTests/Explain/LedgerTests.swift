import Atlas
import Checkpoints
import Foundation
import TestSupport
import Testing

/// What is paid is kept, paid once and never more than allowed.
@Suite(.serialized) struct LedgerTests {
  private func features(_ count: Int) throws -> [ExplainedFeature] {
    try (0..<count).map { try PlantedText.singleToken("▁planted\($0)", seed: UInt64($0)) }
  }

  private func run(
    _ session: JudgeSession, _ features: [ExplainedFeature], parallel: Int = 4, check: () throws -> Void = {}
  ) throws -> [ExplanationResult] {
    var options = ScoringOptions()
    options.tests = [.detection, .fuzzing]
    var results: [ExplanationResult] = []
    let run = ExplanationRun(
      explainer: ChatExplainer(session), judge: ChatJudge(session), options: options, parallel: parallel)
    try run.explain(features, check: check) { results.append($0) }
    return results
  }

  @Test func aWholeRun() throws {
    let features = try features(6)
    let scripted = try ScriptedSession([FakeModel.step])
    let results = try run(scripted.session, features)
    #expect(results.map(\.key) == features.map(\.key))
    for (i, result) in results.enumerated() {
      #expect(try result.explanation.get().text == "on the word “planted\(i)”")
      #expect(result.author == "judge-1" && result.scores.map(\.test) == [.detection, .fuzzing])
      #expect(result.scores.allSatisfy { $0.score.balancedAccuracy == 1 && $0.judge == "judge-1" })
    }
    // One label and two tests of 20 windows, five at a time.
    #expect(scripted.server.requests.count == 6 * 9 && scripted.session.ledger.answers == 6 * 9)
    let charged = scripted.server.requests.reduce(0) { sum, request in
      sum + FakeModel.tokens(request.body) + max(FakeModel.text(request).utf8.count / 4, 1)
    }
    #expect(scripted.session.ledger.spent == charged)
    #expect(try run(scripted.session, features, parallel: 1) == results)
    #expect(scripted.server.requests.count == 6 * 9)
  }

  /// A ledger cut at any byte is what a process that was killed leaves behind.
  @Test func killedAtAnyByteAndResumed() throws {
    let features = try features(3)
    let scripted = try ScriptedSession([FakeModel.step])
    let whole = try run(scripted.session, features)
    let bytes = try Data(contentsOf: scripted.session.ledger.file)
    let requests = scripted.server.requests.count
    var random = SeededRandom(seed: 8)
    for cut in [0, 1, bytes.count] + (0..<20).map({ _ in random.int(0...bytes.count) }) {
      let file = try scripted.folder.write(bytes.prefix(cut), as: "cut-\(cut).jsonl")
      let lines = bytes.prefix(cut).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
      let answered = lines.count { $0.starts(with: Array("{\"answered\"".utf8)) }
      let before = scripted.server.requests.count
      let session = try ScriptedSession.session(scripted.server.url, ledger: file)
      #expect(try run(session, features) == whole)
      #expect(scripted.server.requests.count - before == requests - answered, "cut at \(cut)")
      // What was under way when the process died may have been paid for, and counts.
      let sent = lines.count { $0.starts(with: Array("{\"sent\"".utf8)) }
      #expect((session.ledger.spent > scripted.session.ledger.spent) == (sent > answered))
    }
  }

  private struct Interrupted: Error {}

  @Test func interruptedAndResumed() throws {
    let features = try features(8)
    let scripted = try ScriptedSession([.late(seconds: 0.02, FakeModel.step)])
    let asked = Log<Int>()
    for moment in [5, 20, 40] {
      #expect(throws: Interrupted.self) {
        try run(scripted.session, features) {
          if scripted.server.requests.count >= moment { throw Interrupted() }
        }
      }
      // Answers under way when it was interrupted are kept.
      #expect(scripted.session.ledger.answers == scripted.server.requests.count)
      asked.add(scripted.server.requests.count)
    }
    #expect(try run(scripted.session, features).count == 8)
    #expect(scripted.server.requests.count == 8 * 9 && Set(asked.items).count == 3)
  }

  /// An answer under way when a run is stopped is kept however slow it is.
  @Test func slowAnswersAreWaitedFor() throws {
    let features = try features(3)
    let slow = ScriptedServer.Step.late(seconds: 2, FakeModel.step)
    let scripted = try ScriptedSession([slow, slow, slow, FakeModel.step])
    let (server, session) = (scripted.server, scripted.session)
    let told = Log<Int>()
    let run = ExplanationRun(explainer: ChatExplainer(session), judge: ChatJudge(session), parallel: 3)
    #expect(throws: Interrupted.self) {
      try run.explain(
        features, check: { if server.requests.count == 3 { throw Interrupted() } }, onWait: { told.add($0) },
        sink: { _ in })
    }
    #expect(told.items == [3] && session.ledger.answers == 3)
    // They are the first of the whole run, which asks for none of them again.
    #expect(try self.run(session, features).count == 3)
    #expect(server.requests.count == 3 * 9 && session.counts.fromLedger == 3)
  }

  /// So are they where an error ended the run, of which another question is the cause.
  @Test func errorsElsewhereLoseNoAnswer() throws {
    let slow = ScriptedServer.Step.late(seconds: 4, FakeModel.step)
    let scripted = try ScriptedSession([
      .late(seconds: 2, .answer("{}", status: 404)), slow, slow, slow, FakeModel.step,
    ])
    let (server, session) = (scripted.server, scripted.session)
    let told = Log<Int>()
    let run = ExplanationRun(explainer: ChatExplainer(session), judge: ChatJudge(session), parallel: 4)
    let thrown = #expect(throws: ExplanationError.self) {
      try run.explain(try features(4), onWait: { told.add($0) }, sink: { _ in })
    }
    #expect(thrown?.isResumable == true)
    // On a busy machine a worker may have come too late to ask.
    let asked = server.requests.count - 1
    #expect(told.items == [asked] && session.ledger.answers == asked && asked > 0)
  }

  @Test func aWaitIsInterrupted() throws {
    let scripted = try ScriptedSession([.answer("{}", status: 503)]) {
      ($0.firstWait, $0.longestWait) = (.seconds(60), .seconds(60))
    }
    let start = ContinuousClock.now
    #expect(throws: Interrupted.self) {
      try run(scripted.session, try features(2)) { if !scripted.server.requests.isEmpty { throw Interrupted() } }
    }
    #expect(start.duration(to: .now) < .seconds(5))
  }

  /// Servers that say nothing of what they used, or what cannot be.
  private static let lies = [
    "", #","usage":null"#, #","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#,
    #","usage":{"prompt_tokens":-5000,"completion_tokens":1,"total_tokens":-4999}"#,
    #","usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}"#,
    #","usage":{"prompt_tokens":1e300,"completion_tokens":1}"#, #","usage":{"prompt_tokens":"many"}"#, #","usage":[1]"#,
    #","usage":{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}"#,
  ]

  @Test(arguments: [nil] + lies.map(Optional.some), [1, 8]) func spendIsNeverExceeded(usage: String?, parallel: Int)
    throws
  {
    let limit = 20_000
    let scripted = try ScriptedSession([
      .late(seconds: 0.002, .reply { .answer(FakeModel.answer($0, usage: usage)) })
    ]) { $0.tokens = limit }
    let thrown = #expect(throws: ExplanationError.self) {
      try run(scripted.session, try features(12), parallel: parallel)
    }
    guard case .budget(let spent, let needed, limit)? = thrown else {
      Issue.record("\(String(describing: thrown))")
      return
    }
    let charged = scripted.server.requests.reduce(0) { sum, request in
      sum + FakeModel.tokens(request.body) + max(FakeModel.text(request).utf8.count / 4, 1)
    }
    let ledger = scripted.session.ledger
    #expect(charged <= limit && ledger.spent <= limit && charged <= ledger.spent)
    #expect(spent == ledger.spent && spent + needed > limit && !scripted.server.requests.isEmpty)
    // A run started again has what is left, not all of it anew.
    let before = scripted.server.requests.count
    #expect(throws: ExplanationError.self) { try run(scripted.session, try features(12), parallel: parallel) }
    #expect(ledger.spent <= limit && scripted.server.requests.count - before <= 12)
  }

  /// Who says that more was used than was allowed is believed: the run ends.
  @Test func moreThanReserved() throws {
    let usage = #","usage":{"prompt_tokens":900000,"completion_tokens":200000,"total_tokens":1100000}"#
    let scripted = try ScriptedSession([.reply { .answer(FakeModel.answer($0, usage: usage)) }])
    #expect(throws: ExplanationError.self) { try run(scripted.session, try features(2), parallel: 1) }
    #expect(scripted.server.requests.count == 1 && scripted.session.ledger.spent == 1_100_000)
  }

  /// The limit counts bytes where it does not know tokens: no tokenizer on bytes makes more.
  @Test func reservations() {
    let request = ChatRequest([ChatMessage(.user, "日本")], maxTokens: 10, purpose: "p", feature: "f")
    #expect(request.reservation == 10 + 16 + 16 + 6)
  }

  @Test func equalQuestionsArePaidOnce() throws {
    let one = try PlantedText.singleToken("▁planted", seed: 1)
    let scripted = try ScriptedSession([.late(seconds: 0.05, FakeModel.step)])
    let results = try run(scripted.session, [one, one, one, one])
    #expect(results.count == 4 && results.allSatisfy { $0 == results[0] })
    #expect(scripted.server.requests.count == 9)
  }

  @Test func oneProcessWrites() throws {
    let folder = try TemporaryDirectory()
    let file = folder.url.appending(path: "ledger.jsonl")
    let first = try JudgeLedger(file)
    #expect(throws: ExplanationError.ledgerInUse(file: file.path)) { try JudgeLedger(file) }
    #expect(first.spent == 0 && first.answers == 0)
    let missing = folder.url.appending(path: "none/ledger.jsonl")
    #expect(throws: ExplanationError.self) { try JudgeLedger(missing) }
    #expect(throws: ExplanationError.self) { try JudgeLedger(folder.url) }
  }

  @Test(arguments: [
    ("{}\n", 1), ("hello\n", 1), ("{\"schema\":2,\"ledger\":\"gscope explain\"}\n", 1), ("\n", 1),
    ("H{\"sent\":1}\n", 2),
    ("H{\"sent\":1,\"key\":\"k\",\"reserved\":-1}\n", 2),
    ("H{\"answered\":1,\"key\":\"k\",\"spent\":1,\"body\":\"\"}\n", 2),
    ("H{\"sent\":1,\"key\":\"k\",\"reserved\":1}\n{\"answered\":1,\"key\":\"k\",\"spent\":1}\n", 3),
    ("H{\"sent\":1,\"key\":\"k\",\"reserved\":1}\n{\"sent\":1,\"key\":\"k\",\"reserved\":1}\n", 3),
    ("H{\"other\":1}\n", 2),
    ("H{\"failed\":1,\"spent\":9}\n", 2),
    ("H{\"sent\":9223372036854775807,\"key\":\"k\",\"reserved\":0}\n", 2),
    ("a note without an end", 1),
  ]) func ledgersThatAreNone(text: String, line: Int) throws {
    let folder = try TemporaryDirectory()
    let heading = "{\"schema\":1,\"ledger\":\"gscope explain\"}\n"
    let text = text.hasPrefix("H") ? heading + text.dropFirst() : text
    let file = try folder.write(Array(text.utf8), as: "ledger.jsonl")
    let thrown = #expect(throws: ExplanationError.self) { try JudgeLedger(file) }
    guard case .ledgerLine(_, line, _)? = thrown else {
      Issue.record("\(String(describing: thrown))")
      return
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == text)
  }

  @Test func whatWasReadIsCounted() throws {
    let folder = try TemporaryDirectory()
    let text = """
      {"schema":1,"ledger":"gscope explain"}
      {"sent":1,"key":"a","reserved":100,"request":{"x":[1]}}
      {"sent":2,"key":"b","reserved":200}
      {"answered":2,"key":"b","spent":50,"body":"{}"}
      {"sent":3,"key":"c","reserved":1000}
      {"failed":3,"spent":7,"reason":"x"}
      {"answered":1,"key":"a","sp
      """
    let file = try folder.write(Array(text.utf8), as: "ledger.jsonl")
    let ledger = try JudgeLedger(file)
    #expect(ledger.spent == 157 && ledger.answers == 1)
    #expect(try String(contentsOf: file, encoding: .utf8).hasSuffix("\"reason\":\"x\"}\n"))
  }
}
