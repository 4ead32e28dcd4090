import Atlas
import Checkpoints
import Foundation
import TestSupport

/// Chat completions as servers send them, and a model that does what it is asked to.
enum FakeModel {
  /// A completion.
  static func completion(
    _ text: String?, prompt: Int = 1000, finish: String = "stop", refusal: String? = nil, usage: String? = nil
  ) -> String {
    let content = text.map(JSONText.quoted) ?? "null"
    let count = max((text ?? "").utf8.count / 4, 1)
    let counted =
      usage ?? #","usage":{"prompt_tokens":\#(prompt),"completion_tokens":\#(count),"total_tokens":\#(prompt + count)}"#
    return #"{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":\#(content),"#
      + #""refusal":\#(refusal.map(JSONText.quoted) ?? "null")},"finish_reason":"\#(finish)"}]\#(counted)}"#
  }

  /// Answers requests: labels with the commonest marked token, and judges by the words that a label quotes.
  static let step = ScriptedServer.Step.reply { .answer(answer($0)) }

  static func answer(_ request: ScriptedServer.Request, usage: String? = nil) -> String {
    completion(text(request), prompt: tokens(request.body), usage: usage)
  }

  /// What a request is charged for its prompt.
  static func tokens(_ body: String) -> Int { max(question(body)?.bytes ?? 0, 4) / 4 }

  static func text(_ request: ScriptedServer.Request) -> String {
    guard let last = question(request.body)?.last else { return "no question" }
    let lines = last.split(separator: "\n")
    guard let first = lines.first, first.hasPrefix("Description: ") else {
      let marked = last.split(separator: "<<").dropFirst().compactMap { $0.split(separator: ">>").first }
      let counts = Dictionary(marked.map { ($0, 1) }, uniquingKeysWith: +)
      let commonest = counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? "nothing"
      return "LABEL: on the word “\(commonest)”"
    }
    let rule = LexicalRule(label: unquoted(first.dropFirst("Description: ".count)))
    let answers = lines.dropFirst().compactMap { line -> String? in
      guard let dot = line.firstIndex(of: "."), Int(line[..<dot]) != nil else { return nil }
      let text = unquoted(line[line.index(after: dot)...].drop { $0 == " " })
      let marked = text.split(separator: "<<").dropFirst().compactMap { $0.split(separator: ">>").first }
      let words = text.contains("<<") ? marked.map(String.init) : text.split(separator: " ").map(String.init)
      return words.contains { rule.tokens.contains($0.lowercased()) } ? "1" : "0"
    }
    return "[\(answers.joined(separator: ", "))]"
  }

  /// The last turn of a request, and the bytes of all of them.
  private static func question(_ body: String) -> (last: String, bytes: Int)? {
    guard case .object(let root)? = try? JSONTree(Array(body.utf8)), case .array(let turns)? = root["messages"]
    else { return nil }
    let texts = turns.compactMap { turn -> String? in
      if case .object(let members) = turn, case .string(let text)? = members["content"] { text } else { nil }
    }
    return texts.last.map { ($0, texts.reduce(0) { $0 + $1.utf8.count }) }
  }

  private static func unquoted(_ text: Substring) -> String {
    if case .string(let value)? = try? JSONTree(Array(text.utf8)) { value } else { "" }
  }
}

/// A session with a scripted server, and its ledger.
final class ScriptedSession {
  let server: ScriptedServer
  let folder: TemporaryDirectory
  let session: JudgeSession

  init(_ steps: [ScriptedServer.Step], key: String? = nil, _ change: (inout JudgeLimits) -> Void = { _ in }) throws {
    server = try ScriptedServer(steps)
    folder = try TemporaryDirectory()
    session = try Self.session(server.url, ledger: folder.url.appending(path: "ledger.jsonl"), key: key, change)
  }

  deinit { server.stop() }

  static func session(
    _ url: String, ledger: URL, key: String? = nil, _ change: (inout JudgeLimits) -> Void = { _ in }
  ) throws -> JudgeSession {
    var limits = JudgeLimits()
    limits.firstWait = .milliseconds(5)
    limits.timeout = .seconds(20)
    change(&limits)
    var environment = ["GSCOPE_JUDGE_URL": url, "GSCOPE_JUDGE_MODEL": "judge-1"]
    environment["GSCOPE_JUDGE_KEY"] = key
    guard let settings = try JudgeSettings(environment: environment) else { throw POSIXError(.EINVAL) }
    return try JudgeSession(
      URLSessionEndpoint(settings), model: settings.model, ledger: JudgeLedger(ledger), limits: limits)
  }

  var ledgerText: String { (try? String(contentsOf: session.ledger.file, encoding: .utf8)) ?? "" }

  /// What the judge makes of windows, "x" being described and every other window having it.
  func decide(_ count: Int = 5) throws -> [JudgeDecision] {
    let windows = (0..<count).map { TestWindow(pieces: ["▁a", $0 % 2 == 0 ? "▁x" : "▁y", "▁b\($0)"]) }
    return try ChatJudge(session).decide("on “x”", windows, for: .detection, of: "f#1", check: {})
  }

  static func right(_ count: Int = 5) -> [JudgeDecision] { (0..<count).map { .fires($0 % 2 == 0) } }
}
