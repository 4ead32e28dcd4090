public import Foundation

/// What a server answered.
public struct HTTPAnswer: Equatable, Sendable {
  public let status: Int
  /// Header fields by name in lower case.
  public let headers: [String: String]
  public let body: Data

  public init(status: Int, headers: [String: String] = [:], body: Data) {
    self.status = status
    self.headers = Dictionary(headers.map { ($0.lowercased(), $1) }, uniquingKeysWith: { first, _ in first })
    self.body = body
  }
}

/// Why there is no answer.
public enum TransportFailure: Error, Equatable, Sendable {
  /// None within the time allowed; the server may be at work on it still.
  case timedOut
  /// No connection, so that nothing was asked.
  case notConnected(String)
  /// The connection broke after the request may have been read.
  case broken(String)
}

/// Where requests to a language model go: something that speaks OpenAI's chat completions, as llama.cpp's server, vLLM,
/// Ollama and LM Studio do.
public protocol ChatEndpoint: Sendable {
  /// Named in messages; without secrets.
  var url: String { get }

  /// Sends a request body (JSON) and waits for the answer. Called on several threads at once.
  /// - Throws: `TransportFailure`.
  func send(_ body: Data, timeout: Duration) throws -> HTTPAnswer
}
