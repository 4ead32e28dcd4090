import Checkpoints

/// What keeps features from being explained or labels from being tested. After those that end a run (`isResumable`),
/// the ledger holds every answer paid for, and the same run started again goes on from there.
public enum ExplanationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A feature's examples that cannot be what they are said to be.
  case evidence(feature: String, what: String, expected: String, found: String)
  /// A setting out of range, or one that is missing.
  case setting(name: String, expected: String, found: String)
  /// The ledger `file` cannot be opened, read or written.
  case ledger(file: String, reason: String)
  /// Another process writes to the ledger `file`.
  case ledgerInUse(file: String)
  /// Line `line` of the ledger `file` is not what is written there.
  case ledgerLine(file: String, line: Int, reason: String)
  /// The next call might take the tokens spent beyond the limit.
  case budget(spent: Int, needed: Int, limit: Int)
  /// The endpoint knows no such model or path, or does not let the key in.
  case setup(url: String, model: String, status: Int, message: String)
  /// The account behind the key has nothing left.
  case outOfMoney(url: String, message: String)
  /// The endpoint asks to wait longer than the run is ready to.
  case mustWait(url: String, seconds: Double)
  /// Nothing but failures, `calls` calls in a row.
  case endpointDown(url: String, calls: Int, reason: String)

  /// Whether starting the run again can go on where it stopped.
  public var isResumable: Bool {
    switch self {
    case .budget, .setup, .outOfMoney, .mustWait, .endpointDown: true
    case .evidence, .setting, .ledger, .ledgerInUse, .ledgerLine: false
    }
  }

  public var description: String {
    switch self {
    case .evidence(let feature, let what, let expected, let found):
      "feature \(feature.clipped): \(what): expected \(expected), found \(found)"
    case .setting(let name, let expected, let found): "\(name): expected \(expected), found \(found.clipped)"
    case .ledger(let file, let reason): "\(file): \(reason)"
    case .ledgerInUse(let file): "\(file): another process is writing to this ledger"
    case .ledgerLine(let file, let line, let reason): "\(file): line \(line): \(reason.clipped)"
    case .budget(let spent, let needed, let limit):
      "\(spent) of \(limit) tokens are spent and the next call may take \(needed): raise the limit to go on"
    case .setup(let url, let model, let status, let message):
      "\(url): status \(status) for model '\(model.clipped)': \(message.clipped)"
    case .outOfMoney(let url, let message): "\(url): no credit left: \(message.clipped)"
    case .mustWait(let url, let seconds):
      // A server may name any number.
      "\(url): asks to wait \(seconds < 1e9 ? "\(Int(seconds.rounded(.up)))" : "\(seconds)") s: start again later"
    case .endpointDown(let url, let calls, let reason):
      "\(url): \(calls) calls in a row failed, the last with: \(reason.clipped)"
    }
  }
}
