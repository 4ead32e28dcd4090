import Foundation

/// What became of a question.
enum ChatOutcome: Equatable, Sendable {
  /// An answer; `isCut` where it ran out of tokens.
  case text(String, isCut: Bool)
  /// More text than the model takes.
  case tooLong
  case none(CallFailure)
}

/// Asks a model questions: each once, however often a run is started again, never beyond the tokens allowed, and again
/// where a server was busy or a connection broke.
///
/// ```swift
/// let session = try JudgeSession(endpoint, model: "gemma-3-27b-it", ledger: JudgeLedger(file), limits: JudgeLimits())
/// let run = ExplanationRun(explainer: ChatExplainer(session), judge: ChatJudge(session))
/// ```
///
/// Unchecked: guarded by `condition`.
public final class JudgeSession: @unchecked Sendable {
  /// What the session did so far.
  public struct Counts: Equatable, Sendable {
    /// Requests sent, and questions answered from the ledger without one.
    public internal(set) var requests = 0, fromLedger = 0
    /// Requests sent again.
    public internal(set) var retries = 0
  }

  public let model: String
  public let ledger: JudgeLedger
  let limits: JudgeLimits
  private let endpoint: any ChatEndpoint
  private let condition = NSCondition()
  private var underWay: Set<String> = []
  private var dialect = ChatDialect()
  private var notBefore = ContinuousClock.now
  private var failures = 0
  /// Whether anything was ever heard from the server.
  private var wasReached = false
  private var counted = Counts()

  /// - Throws: `ExplanationError.setting` for limits that allow nothing.
  public init(
    _ endpoint: any ChatEndpoint, model: String, ledger: JudgeLedger, limits: JudgeLimits = JudgeLimits()
  ) throws {
    try limits.check()
    self.endpoint = endpoint
    self.model = model
    self.ledger = ledger
    self.limits = limits
  }

  public var counts: Counts { locked { counted } }

  /// Asks a question, or looks its answer up.
  /// - Parameter check: called while waiting, and before each request; throws to stop.
  /// - Throws: `ExplanationError` where going on has no sense, what `check` throws.
  func ask(_ request: ChatRequest, check: @Sendable () throws -> Void) throws -> ChatOutcome {
    let key = request.key(model: model)
    try claim(key, check)
    defer { release(key) }
    if let body = try ledger.answer(key) {
      locked { counted.fromLedger += 1 }
      return Self.outcome(ChatAnswer(body))
    }
    var last = (failure: CallFailure.failed, reason: "")
    for attempt in 0..<limits.tries {
      if attempt > 0 { locked { counted.retries += 1 } }
      switch try sendOnce(request, key, check) {
      case .done(let outcome, let reason):
        try note(reason)
        return outcome
      case .again(let failure, let reason, let seconds):
        last = (failure, reason)
        if attempt + 1 < limits.tries { try wait(own: ownWait(attempt, key), askedFor: seconds, check) }
      }
    }
    try note(last.reason)
    return .none(last.failure)
  }

  private enum Step {
    /// An end; `reason` says what went wrong with the endpoint, nil where nothing did.
    case done(ChatOutcome, reason: String?)
    case again(CallFailure, reason: String, after: Double?)
  }

  private func sendOnce(_ request: ChatRequest, _ key: String, _ check: @Sendable () throws -> Void) throws -> Step {
    // Each of the three things a dialect can drop is dropped once.
    while true {
      try waitForTurn(check)
      let dialect = locked { self.dialect }
      let call = try ledger.begin(request, key: key, model: model, limit: limits.tokens, check: check)
      locked { counted.requests += 1 }
      let answer: HTTPAnswer
      do {
        answer = try endpoint.send(Data(request.json(model: model, dialect).utf8), timeout: limits.timeout)
      } catch let failure as TransportFailure {
        if case .notConnected = failure {} else { locked { wasReached = true } }
        return try settle(call, failure, request)
      } catch {
        return try settle(call, .broken("\(error)"), request)
      }
      locked { wasReached = true }
      let verdict = ChatVerdict(answer, dialect, now: Date())
      if case .answered = verdict {
        let parsed = ChatAnswer(answer.body)
        if case .foreign(let reason) = parsed.content {
          // Not kept: once the address is right, a run started again must not find a web page for an answer.
          try ledger.settle(call, failed: reason, spent: request.reservation)
          return .done(.none(.malformed), reason: reason)
        }
        try ledger.settle(
          call, key: key, body: answer.body, spent: request.spent(parsed.usage, answer: parsed.byteCount))
        return .done(Self.outcome(parsed), reason: nil)
      }
      let status = ChatVerdict.refusal(in: answer)?.status ?? answer.status
      let (reason, fatal) = described(verdict, status: status)
      let cost = ChatVerdict.mayHaveCost(status) ? request.reservation : 0
      try ledger.settle(call, failed: reason, spent: cost)
      if let fatal { throw fatal }
      switch verdict {
      case .changed(let next): locked { if self.dialect == dialect { self.dialect = next } }
      case .again(_, let after): return .again(.failed, reason: reason, after: after)
      case .tooLong: return .done(.tooLong, reason: nil)
      default: return .done(.none(.failed), reason: reason)
      }
    }
  }

  private func settle(_ call: Int, _ failure: TransportFailure, _ request: ChatRequest) throws -> Step {
    switch failure {
    case .timedOut:
      try ledger.settle(call, failed: "timed out", spent: request.reservation)
      return .again(.timedOut, reason: "no answer in \(limits.timeout.seconds) s", after: nil)
    case .broken(let reason):
      try ledger.settle(call, failed: reason, spent: request.reservation)
      return .again(.failed, reason: reason, after: nil)
    case .notConnected(let reason):
      try ledger.settle(call, failed: reason, spent: 0)
      return .again(.failed, reason: reason, after: nil)
    }
  }

  private func described(_ verdict: ChatVerdict, status: Int) -> (String, ExplanationError?) {
    switch verdict {
    case .answered: ("", nil)
    case .again(let reason, _), .tooLong(let reason), .failed(let reason): (reason, nil)
    case .changed: ("a parameter was turned down", nil)
    case .outOfMoney(let message): (message, .outOfMoney(url: endpoint.url, message: message))
    case .setup(let message):
      (message, .setup(url: endpoint.url, model: model, status: status, message: message))
    }
  }

  private static func outcome(_ answer: ChatAnswer) -> ChatOutcome {
    switch answer.content {
    case .text(let text, let isCut): .text(text, isCut: isCut)
    case .refused: .none(.refused)
    case .empty, .foreign: .none(.malformed)
    case .error: .none(.failed)
    }
  }
}

extension JudgeSession {
  /// Two threads with the same question ask it once.
  private func claim(_ key: String, _ check: @Sendable () throws -> Void) throws {
    condition.lock()
    defer { condition.unlock() }
    while !underWay.insert(key).inserted {
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.05))
      condition.unlock()
      defer { condition.lock() }
      try check()
    }
  }

  private func release(_ key: String) {
    locked {
      underWay.remove(key)
      condition.broadcast()
    }
  }

  /// Counts failures in a row: where nothing works any more, a run must not fail one feature after another. A server that
  /// never answered at all, whatever was tried, is none.
  private func note(_ reason: String?) throws {
    let (count, limit) = locked {
      failures = reason == nil ? 0 : failures + 1
      return (failures, wasReached ? limits.failuresInARow : 1)
    }
    if let reason, count >= limit {
      throw ExplanationError.endpointDown(url: endpoint.url, calls: count, reason: reason)
    }
  }

  /// 2ⁿ times the first wait, less up to half of it: tries of many threads must not fall together. The share is told by
  /// the question, so that runs repeat.
  private func ownWait(_ attempt: Int, _ key: String) -> Double {
    let full = min(limits.firstWait.seconds * Double(1 << min(attempt, 30)), limits.longestWait.seconds)
    let share = Double(ChoiceOrder(seed: 0, "wait", key).number(attempt) >> 11) / Double(1 << 53)
    return full * (1 - share / 2)
  }

  /// Waits before a question is sent again. What a server asks for holds for all threads.
  private func wait(own: Double, askedFor: Double?, _ check: @Sendable () throws -> Void) throws {
    if let askedFor {
      guard askedFor <= limits.longestWaitAskedFor.seconds else {
        throw ExplanationError.mustWait(url: endpoint.url, seconds: askedFor)
      }
      let end = ContinuousClock.now + .seconds(askedFor)
      locked { notBefore = max(notBefore, end) }
    }
    try sleep(until: ContinuousClock.now + .seconds(max(own, askedFor ?? 0)), check)
  }

  private func waitForTurn(_ check: @Sendable () throws -> Void) throws {
    try check()
    try sleep(until: locked { notBefore }, check)
  }

  private func sleep(until end: ContinuousClock.Instant, _ check: @Sendable () throws -> Void) throws {
    while true {
      let rest = ContinuousClock.now.duration(to: end).seconds
      guard rest > 0 else { return }
      Thread.sleep(forTimeInterval: min(rest, 0.05))
      try check()
    }
  }

  private func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
    condition.lock()
    defer { condition.unlock() }
    return try body()
  }
}
