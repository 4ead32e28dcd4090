import Checkpoints
import Foundation

/// What a body of status 200 says.
struct ChatAnswer: Equatable, Sendable {
  enum Content: Equatable, Sendable {
    /// A text; `isCut` where the answer ran out of tokens.
    case text(String, isCut: Bool)
    /// It declined, or a filter did.
    case refused
    /// A completion without text.
    case empty
    /// No chat completion: a web page, half an answer.
    case foreign(String)
    /// An error in the clothes of an answer, as some gateways send it.
    case error(status: Int, message: String, code: String)
  }

  let content: Content
  let usage: ChatUsage?

  init(_ body: Data) {
    guard case .object(let root)? = try? JSONTree([UInt8](body)) else {
      (content, usage) = (.foreign("the answer is no JSON object"), nil)
      return
    }
    usage = Self.usage(root["usage"])
    if let error = root["error"], error != .null {
      let (message, code) = Self.error(error)
      content = .error(status: Int(code) ?? 500, message: message, code: code)
      return
    }
    guard case .array(let choices)? = root["choices"], case .object(let choice)? = choices.first,
      case .object(let message)? = choice["message"]
    else {
      content = .foreign("the answer has no choices[0].message")
      return
    }
    if case .string(let refusal)? = message["refusal"], !refusal.isEmpty {
      content = .refused
      return
    }
    var finish = ""
    if case .string(let reason)? = choice["finish_reason"] { finish = reason }
    guard finish != "content_filter" else {
      content = .refused
      return
    }
    let text = Self.text(message["content"])
    if text.isEmpty, finish != "length" {
      content = .empty
    } else {
      content = .text(text, isCut: finish == "length")
    }
  }

  /// The answer's length in bytes.
  var byteCount: Int {
    if case .text(let text, _) = content { text.utf8.count } else { 0 }
  }

  /// What a body of another status says, and its machine-readable code.
  static func error(in body: Data) -> (message: String, code: String) {
    guard case .object(let root)? = try? JSONTree([UInt8](body)), let error = root["error"] ?? root["detail"] else {
      return (String(decoding: body.prefix(2000), as: UTF8.self), "")
    }
    return Self.error(error)
  }

  private static func error(_ value: JSONTree) -> (String, String) {
    switch value {
    case .string(let message): return (message, "")
    case .object(let members):
      var (message, codes) = ("", [String]())
      if case .string(let text)? = members["message"] { message = text }
      for name in ["code", "type", "param"] {
        switch members[name] {
        case .string(let text)?: codes.append(text)
        case .number(let number)?: if let code = Int(exactly: number) { codes.append("\(code)") }
        default: break
        }
      }
      return (message, codes.first.map { Int($0) != nil } == true ? codes[0] : codes.joined(separator: " "))
    default: return ("", "")
    }
  }

  /// A string, or the text parts of a list.
  private static func text(_ content: JSONTree?) -> String {
    switch content {
    case .string(let text)?: return text
    case .array(let parts)?:
      return parts.map { part in
        if case .object(let members) = part, case .string(let text)? = members["text"] { text } else { "" }
      }.joined()
    default: return ""
    }
  }

  private static func usage(_ value: JSONTree?) -> ChatUsage? {
    guard case .object(let members)? = value, let prompt = members["prompt_tokens"]?.integer,
      let completion = members["completion_tokens"]?.integer
    else { return nil }
    let possible = 0...1 << 40
    guard possible ~= prompt, possible ~= completion else { return nil }
    // Tokens thought but not shown may be in the total alone.
    let total = members["total_tokens"]?.integer ?? prompt + completion
    return possible ~= total ? ChatUsage(prompt: prompt, completion: completion, total: total) : nil
  }
}
