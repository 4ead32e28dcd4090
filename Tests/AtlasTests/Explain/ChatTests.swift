import Atlas
import Checkpoints
import Foundation
import TestSupport
import Testing

/// What servers send, and what is made of it.
@Suite(.serialized) struct ChatTests {
  private typealias Step = ScriptedServer.Step

  private func error(_ status: Int, _ message: String, code: String = "", headers: [String: String] = [:]) -> Step {
    .answer(#"{"error":{"message":"\#(message)","code":"\#(code)"}}"#, status: status, headers: headers)
  }

  private func none(_ failure: CallFailure, _ count: Int = 5) -> [JudgeDecision] {
    [JudgeDecision](repeating: .none(failure), count: count)
  }

  @Test func theRequest() throws {
    let scripted = try ScriptedSession([FakeModel.step], key: "sk-secret")
    #expect(try scripted.decide() == ScriptedSession.right())
    let request = try #require(scripted.server.requests.first)
    #expect(request.method == "POST" && request.path == "/v1/chat/completions")
    #expect(request.headers["authorization"] == "Bearer sk-secret")
    #expect(request.headers["content-type"] == "application/json")
    guard case .object(let body) = try JSONTree(Array(request.body.utf8)) else {
      Issue.record("no object")
      return
    }
    #expect(body["model"] == .string("judge-1") && body["temperature"] == .number(0) && body["seed"] == .number(0))
    #expect(body["max_tokens"] == .number(128) && body.count == 5)
    guard case .array(let turns)? = body["messages"] else {
      Issue.record("no messages")
      return
    }
    #expect(turns.count == 6)
    let text = scripted.ledgerText
    #expect(!text.contains("secret") && text.contains("detection") && text.contains("f#1"))
    #expect(scripted.session.counts.requests == 1 && scripted.session.counts.retries == 0)
    // Asked before: nothing is sent.
    #expect(try scripted.decide() == ScriptedSession.right())
    #expect(scripted.server.requests.count == 1 && scripted.session.counts.fromLedger == 1)
  }

  @Test func twelveWindowsAreThreeRequests() throws {
    let scripted = try ScriptedSession([FakeModel.step])
    #expect(try scripted.decide(12) == ScriptedSession.right(12))
    #expect(scripted.server.requests.count == 3)
    #expect(scripted.server.requests[0].headers["authorization"] == nil)
  }

  @Test(arguments: [
    FakeModel.completion(nil, refusal: "I will not"), FakeModel.completion("I'm sorry, I can't."),
    FakeModel.completion("", finish: "content_filter"),
  ]) func refusals(body: String) throws {
    let scripted = try ScriptedSession([.answer(body)])
    #expect(try scripted.decide() == none(.refused))
    #expect(scripted.server.requests.count == 1)
  }

  @Test(arguments: [
    FakeModel.completion(nil), FakeModel.completion(""), FakeModel.completion("[1, 0, 1, 0]"),
    FakeModel.completion("yes, no, yes, no, yes"), "<html>Welcome</html>", #"{"choices":[{"mess"#, #"{"choices":[]}"#,
    "",
    #"{"ok":true}"#, #"{"choices":[{"message":null}]}"#, "[1, 0, 1, 0, 1]", #"{"choices":[{"message":{"content":7}}]}"#,
  ]) func malformedAnswersAreAskedForOnceMore(body: String) throws {
    let hopeless = try ScriptedSession([.answer(body)])
    #expect(try hopeless.decide() == none(.malformed))
    #expect(hopeless.server.requests.count == 2)
    #expect(hopeless.server.requests[1].body.contains("Write nothing before or after the list"))
    let mended = try ScriptedSession([.answer(body), FakeModel.step])
    #expect(try mended.decide() == ScriptedSession.right())
  }

  @Test(arguments: [
    FakeModel.completion("[1, 0, true, false, 1]"), FakeModel.completion("Here:\n```json\n[1,0,1,0,1]\n```\nDone."),
    FakeModel.completion("[1,0,1,0,1]", finish: "length"),
    FakeModel.completion("<think>hm [0,0,0,0,0]</think>[1,0,1,0,1]"),
    #"{"choices":[{"message":{"content":[{"type":"text","text":"[1,0,1,"},{"type":"text","text":"0,1]"}]}}]}"#,
  ]) func answersInOtherClothes(body: String) throws {
    let scripted = try ScriptedSession([.answer(body)])
    #expect(try scripted.decide() == ScriptedSession.right())
    #expect(scripted.server.requests.count == 1)
  }

  @Test func cutAnswersGetMoreRoomOnce() throws {
    let scripted = try ScriptedSession([.answer(FakeModel.completion("Let me see", finish: "length"))])
    #expect(try scripted.decide() == none(.malformed))
    let lengths = scripted.server.requests.map { $0.body.contains("\"max_tokens\":256") }
    #expect(lengths == [false, true, true])
  }

  @Test func aServerThatIsBusySaysWhen() throws {
    for header in [["Retry-After": "1"], ["retry-after-ms": "1000"]] {
      let scripted = try ScriptedSession([error(429, "slow down", headers: header), FakeModel.step])
      let start = ContinuousClock.now
      #expect(try scripted.decide() == ScriptedSession.right())
      #expect(start.duration(to: .now) >= .seconds(1) && scripted.server.requests.count == 2)
      #expect(scripted.session.counts.retries == 1)
    }
    let long = try ScriptedSession([error(429, "slow down", headers: ["Retry-After": "4000"])])
    #expect(throws: ExplanationError.mustWait(url: long.server.url + "/chat/completions", seconds: 4000)) {
      try long.decide()
    }
    let endless = try ScriptedSession([error(429, "slow down", headers: ["Retry-After": "1e30"])])
    let thrown = #expect(throws: ExplanationError.self) { try endless.decide() }
    #expect(thrown?.description.contains("1e+30 s") == true)
  }

  @Test func serversThatStumble() throws {
    let scripted = try ScriptedSession([
      error(500, "oops"), .answer("bad gateway", status: 502), error(503, "busy"), .reset,
      .cut(FakeModel.completion("[1,0,1,0,1]"), after: 30), FakeModel.step,
    ])
    #expect(try scripted.decide() == ScriptedSession.right())
    #expect(scripted.server.requests.count == 6)
    let down = try ScriptedSession([error(500, "oops")])
    #expect(try down.decide() == none(.failed))
    #expect(down.server.requests.count == 6)
    let wrong = try ScriptedSession([error(418, "teapot")])
    #expect(try wrong.decide() == none(.failed))
    #expect(wrong.server.requests.count == 1 && wrong.session.ledger.spent == 0)
    // The key would go wherever a redirect points to.
    let moved = try ScriptedSession([.answer("", status: 307, headers: ["Location": wrong.server.url])])
    #expect(try moved.decide() == none(.failed))
    #expect(moved.server.requests.count == 1 && wrong.server.requests.count == 1)
  }

  @Test func errorsInTheClothesOfAnswers() throws {
    let scripted = try ScriptedSession([
      .answer(#"{"error":{"message":"upstream busy","code":503}}"#), FakeModel.step,
    ])
    #expect(try scripted.decide() == ScriptedSession.right())
    #expect(scripted.server.requests.count == 2)
    // The status that counts is the one inside: a gateway that broke off may have been paid for.
    let broken = try ScriptedSession([
      .answer(#"{"error":{"message":"upstream broke","code":502}}"#), FakeModel.step,
    ])
    #expect(try broken.decide() == ScriptedSession.right())
    #expect(broken.session.ledger.spent > scripted.session.ledger.spent)
    let closed = try ScriptedSession([.answer(#"{"error":{"message":"bad key","code":401}}"#)])
    let thrown = #expect(throws: ExplanationError.self) { try closed.decide() }
    #expect(thrown?.description.contains("status 401") == true)
  }

  @Test func timeouts() throws {
    let scripted = try ScriptedSession([.hang(seconds: 30)]) { ($0.timeout, $0.tries) = (.milliseconds(200), 3) }
    let start = ContinuousClock.now
    #expect(try scripted.decide() == none(.timedOut))
    #expect(start.duration(to: .now) < .seconds(5) && scripted.server.requests.count == 3)
    // Nobody knows what they took: all of it counts.
    let body = try #require(scripted.server.requests.first).body
    #expect(scripted.session.ledger.spent > 3 * body.utf8.count / 2)
    let late = try ScriptedSession([.late(seconds: 0.3, FakeModel.step)])
    #expect(try late.decide() == ScriptedSession.right())
    // Bytes that trickle in do not prolong the deadline.
    let slow = try ScriptedSession([.late(seconds: 1, FakeModel.step), FakeModel.step]) {
      $0.timeout = .milliseconds(300)
    }
    #expect(try slow.decide() == ScriptedSession.right())
    #expect(slow.server.requests.count == 2)
  }

  @Test func whatEndsARun() throws {
    for (status, message, code) in [
      (402, "pay", ""), (429, "quota", "insufficient_quota"), (429, "x", "billing_limit"),
    ] {
      let scripted = try ScriptedSession([error(status, message, code: code)])
      #expect(throws: ExplanationError.outOfMoney(url: scripted.server.url + "/chat/completions", message: message)) {
        try scripted.decide()
      }
      #expect(scripted.server.requests.count == 1)
    }
    let inside = try ScriptedSession([.answer(#"{"error":{"message":"none left","code":"insufficient_quota"}}"#)])
    #expect(throws: ExplanationError.self) { try inside.decide() }
    #expect(inside.server.requests.count == 1)
    for status in [401, 403, 404] {
      let scripted = try ScriptedSession([error(status, "no such model")])
      let thrown = #expect(throws: ExplanationError.self) { try scripted.decide() }
      #expect(thrown?.isResumable == true && thrown?.description.contains("judge-1") == true)
      #expect(scripted.server.requests.count == 1 && scripted.session.ledger.spent == 0)
    }
    // The quota of a minute comes back.
    let minute = try ScriptedSession([error(429, "quota exceeded", code: "rate_limit"), FakeModel.step])
    #expect(try minute.decide() == ScriptedSession.right())
  }

  @Test func anEndpointThatIsGone() throws {
    let scripted = try ScriptedSession([FakeModel.step]) { ($0.tries, $0.failuresInARow) = (2, 4) }
    #expect(try scripted.decide() == ScriptedSession.right())
    let spent = scripted.session.ledger.spent
    scripted.server.stop()
    // The first five are in the ledger.
    #expect(try scripted.decide(20) == ScriptedSession.right() + none(.failed, 15))
    let thrown = #expect(throws: ExplanationError.self) { try scripted.decide(25) }
    guard case .endpointDown(_, 4, _)? = thrown else {
      Issue.record("\(String(describing: thrown))")
      return
    }
    #expect(scripted.session.ledger.spent == spent)
  }

  @Test func anEndpointThatNeverWas() throws {
    let scripted = try ScriptedSession([FakeModel.step]) { ($0.tries, $0.failuresInARow) = (3, 4) }
    scripted.server.stop()
    let thrown = #expect(throws: ExplanationError.self) { try scripted.decide() }
    guard case .endpointDown(_, 1, _)? = thrown else {
      Issue.record("\(String(describing: thrown))")
      return
    }
    #expect(scripted.session.counts.retries == 2 && scripted.session.ledger.spent == 0)
  }

  @Test func otherWordsOnTheWire() throws {
    let scripted = try ScriptedSession([
      error(400, "Unsupported parameter: 'max_tokens', use max_completion_tokens"),
      error(400, "temperature does not support 0"), .answer(#"{"detail":"unknown field seed"}"#, status: 422),
      FakeModel.step,
    ])
    #expect(try scripted.decide(10) == ScriptedSession.right(10))
    #expect(scripted.server.requests.count == 5)
    let last = scripted.server.requests[4].body
    #expect(last.contains("\"max_completion_tokens\":128") && !last.contains("temperature") && !last.contains("seed"))
  }

  @Test(arguments: [
    (413, "too large", ""), (400, "the maximum context length is 512 tokens, lower max_tokens", ""),
    (400, "no", "context_length_exceeded"), (400, "the request exceeds the available context size", ""),
  ]) func longQuestionsAreHalvedOnce(status: Int, message: String, code: String) throws {
    let refusal = error(status, message, code: code)
    let scripted = try ScriptedSession([refusal, FakeModel.step])
    #expect(try scripted.decide() == ScriptedSession.right())
    #expect(scripted.server.requests.count == 3)
    let hopeless = try ScriptedSession([refusal])
    #expect(try hopeless.decide() == none(.failed))
    #expect(hopeless.server.requests.count == 3)
  }

  @Test func labels() throws {
    let feature = try PlantedText.singleToken("▁knives", seed: 1)
    let good = try ScriptedSession([FakeModel.step])
    let explanation = try ChatExplainer(good.session).explain(feature, check: {})
    #expect(explanation.text == "on the word “knives”" && explanation.promptSHA256?.count == 64)
    let held = feature.test.examples.map { $0.pieces.dropFirst().first ?? "" }
    let shown = try #require(good.server.requests.first).body
    #expect(shown.components(separatedBy: "<<knives>>").count == 11)
    #expect(held.contains { !shown.contains($0) })
    let strong = try PlantedText.feature("strong#1", seed: 1, strength: 1e38) { pieces, _ in
      pieces[PlantedText.peak] = "▁knives"
      return [PlantedText.peak]
    }
    #expect(try ChatExplainer(good.session).explain(strong, check: {}).text == "on the word “knives”")
    for (steps, failure) in [
      ([Step.answer(FakeModel.completion("I cannot."))], CallFailure.refused),
      ([.answer(FakeModel.completion("no label here"))], .malformed), ([error(418, "no")], .failed),
      ([error(413, "long")], .failed),
    ] {
      let scripted = try ScriptedSession(steps)
      #expect(throws: failure) { try ChatExplainer(scripted.session).explain(feature, check: {}) }
    }
    let mended = try ScriptedSession([
      error(413, "long"), .answer(FakeModel.completion("hm", finish: "length")), .answer(FakeModel.completion("hm")),
      FakeModel.step,
    ])
    #expect(try ChatExplainer(mended.session).explain(feature, check: {}).text == "on the word “knives”")
    #expect(mended.server.requests[3].body.components(separatedBy: "<<knives>>").count == 6)
  }
}
