import Checkpoints
import Foundation

/// A turn of a chat.
public struct ChatMessage: Equatable, Sendable {
  public enum Role: String, Sendable { case system, user, assistant }

  public let role: Role
  public let content: String

  public init(_ role: Role, _ content: String) {
    self.role = role
    self.content = content
  }
}

/// A question to a model.
public struct ChatRequest: Equatable, Sendable {
  public let messages: [ChatMessage]
  /// Tokens of the answer, at most.
  public let maxTokens: Int
  /// What it is for, and about which feature: for the ledger.
  public let purpose: String
  public let feature: String

  public init(_ messages: [ChatMessage], maxTokens: Int, purpose: String, feature: String) {
    self.messages = messages
    self.maxTokens = maxTokens
    self.purpose = purpose
    self.feature = feature
  }

  /// What the request and its answer take at most, in tokens: tokenizers that work on bytes make at most one token of a
  /// byte; each turn is framed by a few more.
  package var reservation: Int {
    messages.reduce(maxTokens + 16) { $0 + $1.content.utf8.count + 16 }
  }

  /// What they took, by the server's account. It is believed where it can be true: no ordinary text has more than 8
  /// bytes a token. Where the account is missing or too low, the whole reservation counts; where it is above that, the
  /// account does.
  func spent(_ usage: ChatUsage?, answer bytes: Int) -> Int {
    guard let usage, usage.prompt >= 1, usage.completion >= 0, usage.total >= 1 else { return reservation }
    let asked = messages.reduce(0) { $0 + $1.content.utf8.count }
    guard usage.prompt >= asked / 8, usage.completion >= bytes / 8,
      usage.total >= usage.prompt, usage.total - usage.prompt >= usage.completion
    else { return max(reservation, usage.total) }
    return usage.total
  }

  /// Names the question: the same model, turns and length give the same key, however it is put on the wire.
  func key(model: String) -> String {
    SHA256.hex(of: Array(json(model: model, ChatDialect()).utf8))
  }

  /// The request's body: the same question gives the same bytes.
  func json(model: String, _ dialect: ChatDialect) -> String {
    var members = ["\"model\":\(JSONText.quoted(model))"]
    let turns = messages.map {
      "{\"role\":\"\($0.role.rawValue)\",\"content\":\(JSONText.quoted($0.content))}"
    }
    members.append("\"messages\":[\(turns.joined(separator: ","))]")
    if dialect.hasTemperature { members.append("\"temperature\":0") }
    if dialect.hasSeed { members.append("\"seed\":0") }
    members.append("\"\(dialect.hasMaxTokens ? "max_tokens" : "max_completion_tokens")\":\(maxTokens)")
    return "{\(members.joined(separator: ","))}"
  }
}

/// What a server takes; told by what it turned down.
struct ChatDialect: Equatable, Sendable {
  var hasMaxTokens = true
  var hasTemperature = true
  var hasSeed = true

  /// The dialect to try after the server turned a request down with `message`; nil where the message names nothing that
  /// can be changed.
  func changed(after message: String) -> ChatDialect? {
    var next = self
    if hasMaxTokens, message.contains("max_tokens") {
      next.hasMaxTokens = false
    } else if hasTemperature, message.contains("temperature") {
      next.hasTemperature = false
    } else if hasSeed, message.contains("seed") {
      next.hasSeed = false
    } else {
      return nil
    }
    return next
  }
}

/// Tokens that a server says it counted.
struct ChatUsage: Equatable, Sendable {
  let prompt: Int
  let completion: Int
  let total: Int
}
