public import Foundation

/// Which model judges, and where. The key comes from the environment alone: command lines are seen by others and kept
/// in histories. It is neither printed nor written anywhere.
public struct JudgeSettings: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Names of the variables read.
  public static let urlVariable = "GSCOPE_JUDGE_URL"
  public static let modelVariable = "GSCOPE_JUDGE_MODEL"
  public static let keyVariable = "GSCOPE_JUDGE_KEY"

  /// Where requests go, the path to chat completions included.
  public let url: URL
  public let model: String
  let key: String?

  /// Settings from flags, else from the environment; nil where neither names a URL.
  /// - Throws: `ExplanationError.setting` for a URL that is none of http or https or carries a password, a model that is
  ///   not named, a key with characters that a header cannot hold.
  public init?(url: String? = nil, model: String? = nil, environment: [String: String]) throws {
    func known(_ flag: String?, _ variable: String) -> String? {
      let value = (flag ?? environment[variable])?.trimmingCharacters(in: .whitespacesAndNewlines)
      return value?.isEmpty == false ? value : nil
    }
    guard let address = known(url, Self.urlVariable) else { return nil }
    self.url = try Self.completions(address)
    guard let name = known(model, Self.modelVariable) else {
      throw ExplanationError.setting(
        name: "the judge's model", expected: "a name by flag or in \(Self.modelVariable)", found: "none")
    }
    self.model = name
    key = known(nil, Self.keyVariable)
    if let key, !key.unicodeScalars.allSatisfy({ "!"..."~" ~= $0 }) {
      throw ExplanationError.setting(
        name: Self.keyVariable, expected: "printable ASCII without spaces", found: "another character")
    }
  }

  /// The address of chat completions, from one given with or without `/v1` and `/chat/completions`.
  static func completions(_ address: String) throws -> URL {
    let name = "the judge's URL"
    var components = URLComponents(string: address)
    guard components?.user == nil, components?.password == nil else {
      throw ExplanationError.setting(
        name: name, expected: "no password (a key goes into \(keyVariable))", found: "one before '@'")
    }
    components?.fragment = nil
    guard var parts = components, let scheme = parts.scheme?.lowercased(), scheme == "http" || scheme == "https",
      let host = parts.host, !host.isEmpty
    else {
      throw ExplanationError.setting(
        name: name, expected: "http:// or https:// with a host, such as http://localhost:8080/v1", found: address)
    }
    while parts.path.hasSuffix("/") { parts.path.removeLast() }
    if parts.path.isEmpty { parts.path = "/v1" }
    if !parts.path.hasSuffix("/chat/completions") { parts.path += "/chat/completions" }
    guard let url = parts.url else {
      throw ExplanationError.setting(name: name, expected: "a URL", found: address)
    }
    return url
  }

  public var description: String { "\(model) at \(url.absoluteString)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: ["url": url, "model": model]) }
}
