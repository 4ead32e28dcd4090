import Checkpoints
public import Foundation

/// Every question asked and every answer paid for, in a file of JSON lines that is only ever added to, and synced to disk
/// before anything else is made of an answer. A run that was killed finds here what it need not ask again, and what it
/// spent.
///
/// A line is written before a question is sent and one when its answer is there. A question without an answer counts as
/// spent in full: nobody knows. Unchecked: guarded by `condition`.
public final class JudgeLedger: @unchecked Sendable {
  public let file: URL
  private let descriptor: Int32
  private let condition = NSCondition()
  private var contents: LedgerContents
  /// Tokens reserved by calls under way, by their numbers.
  private var reserved: [Int: Int] = [:]

  /// Opens or makes a ledger. A last line that was not finished is taken off.
  /// - Throws: `ExplanationError.ledger`, `.ledgerInUse`, `.ledgerLine`.
  public init(_ file: URL) throws {
    self.file = file
    descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Self.failure(file, errno) }
    do {
      while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
        guard errno == EINTR else {
          throw errno == EWOULDBLOCK ? ExplanationError.ledgerInUse(file: file.path) : Self.failure(file, errno)
        }
      }
      contents = try LedgerContents(file)
      guard ftruncate(descriptor, off_t(contents.end)) == 0 else { throw Self.failure(file, errno) }
      if contents.end == 0 {
        try Self.append(LedgerContents.heading, to: descriptor, at: &contents.end, file)
        try Self.syncFolder(file.deletingLastPathComponent())
      }
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// Tokens spent by all runs that wrote here; calls under way not among them.
  public var spent: Int { locked { contents.spent } }

  /// Answers that need not be asked for again.
  public var answers: Int { locked { contents.answers.count } }

  /// The answer to a question that was asked before, as the server sent it.
  /// - Throws: `ExplanationError.ledger`, `.ledgerLine`.
  func answer(_ key: String) throws -> Data? {
    guard let place = locked({ contents.answers[key] }) else { return nil }
    var bytes = [UInt8](repeating: 0, count: place.bytes.count)
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress.map { $0 + done }, $0.count - done, off_t(place.bytes.lowerBound + done))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Self.failure(file, count == 0 ? EIO : errno) }
      done += count
    }
    guard case .object(let members)? = try? JSONTree(bytes), case .string(let body)? = members["body"] else {
      throw ExplanationError.ledgerLine(file: file.path, line: place.line, reason: "expected an answer with a body")
    }
    return Data(body.utf8)
  }

  /// Notes that a question is about to be sent, and reserves what it may take. Where calls under way have reserved what
  /// is left, it waits for them.
  /// - Returns: the call's number.
  /// - Throws: `ExplanationError.budget` where spent, reserved and needed tokens would exceed `limit`; `.ledger`; what
  ///   `check` throws.
  func begin(
    _ request: ChatRequest, key: String, model: String, limit: Int, check: @Sendable () throws -> Void
  ) throws -> Int {
    let needed = request.reservation
    condition.lock()
    defer { condition.unlock() }
    while contents.spent.saturatingSum(reserved.values.reduce(0, +)).saturatingSum(needed) > limit {
      guard !reserved.isEmpty else {
        throw ExplanationError.budget(spent: contents.spent, needed: needed, limit: limit)
      }
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.05))
      condition.unlock()
      defer { condition.lock() }
      try check()
    }
    let number = contents.calls + 1
    // The text of a question is kept once, however often it is sent.
    let text = contents.asked.contains(key) ? "" : ",\"request\":" + request.json(model: model, ChatDialect())
    try add(
      """
      {"sent":\(number),"key":"\(key)","purpose":\(JSONText.quoted(request.purpose)),\
      "feature":\(JSONText.quoted(request.feature)),"reserved":\(needed),"time":"\(Self.now)"\(text)}
      """)
    contents.calls = number
    contents.asked.insert(key)
    reserved[number] = needed
    return number
  }

  /// Notes an answer and what it took. Once this returns, the answer is on disk.
  /// - Throws: `ExplanationError.ledger`.
  func settle(_ call: Int, key: String, body: Data, spent: Int) throws {
    let text = String(decoding: body, as: UTF8.self)
    let start = try settle(call, spent) {
      "{\"answered\":\(call),\"key\":\"\(key)\",\"spent\":\(spent),\"time\":\"\(Self.now)\",\"body\":\(JSONText.quoted(text))}"
    }
    locked { contents.answers[key] = start }
  }

  /// Notes that a call brought no answer.
  /// - Throws: `ExplanationError.ledger`.
  func settle(_ call: Int, failed reason: String, spent: Int) throws {
    _ = try settle(call, spent) {
      "{\"failed\":\(call),\"spent\":\(spent),\"time\":\"\(Self.now)\",\"reason\":\(JSONText.quoted(reason.clipped))}"
    }
  }

  private func settle(_ call: Int, _ spent: Int, _ line: () -> String) throws -> LedgerContents.Place {
    try locked {
      // Also where the line cannot be written the call is over, and as good as spent.
      defer { condition.broadcast() }
      let reservation = reserved.removeValue(forKey: call) ?? 0
      do {
        let place = try add(line())
        contents.spent = contents.spent.saturatingSum(spent)
        return place
      } catch {
        contents.spent = contents.spent.saturatingSum(max(spent, reservation))
        throw error
      }
    }
  }

  @discardableResult
  private func add(_ line: String) throws -> LedgerContents.Place {
    let start = contents.end
    try Self.append(line, to: descriptor, at: &contents.end, file)
    contents.lines += 1
    return LedgerContents.Place(bytes: start..<contents.end - 1, line: contents.lines)
  }

  private func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
    condition.lock()
    defer { condition.unlock() }
    return try body()
  }

  private static var now: String { Date().formatted(.iso8601) }
}

extension JudgeLedger {
  fileprivate static func append(_ line: String, to descriptor: Int32, at end: inout Int, _ file: URL) throws {
    let bytes = Array((line + "\n").utf8)
    do {
      try bytes.withUnsafeBytes { try AtomicFile.write($0, at: end, to: descriptor, file: file.path) }
      guard fsync(descriptor) == 0 else { throw failure(file, errno) }
    } catch {
      // Half a line must not stand before the next one.
      _ = ftruncate(descriptor, off_t(end))
      throw ExplanationError.ledger(file: file.path, reason: "cannot be written: \(error)")
    }
    end += bytes.count
  }

  /// A new file's name reaches the disk when its folder is synced.
  fileprivate static func syncFolder(_ folder: URL) throws {
    let descriptor = open(folder.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(folder, errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP else { throw failure(folder, errno) }
  }

  fileprivate static func failure(_ file: URL, _ code: Int32) -> ExplanationError {
    .ledger(file: file.path, reason: String(cString: strerror(code)))
  }
}

extension Int {
  /// The sum, or the largest number where that is larger.
  func saturatingSum(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
