public import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// An endpoint reached by `URLSession`.
///
/// On Linux (swift-corelibs-foundation 6.2 and 6.3) some ways of using it deadlock or crash, and are kept clear of: no
/// `async` call is ever cancelled (issue 5412), redirects are refused (5524; they would also take the key elsewhere), and
/// one session serves the whole process and is never invalidated (5491). The deadline is our own, for the session's
/// counts idle time only.
public final class URLSessionEndpoint: ChatEndpoint {
  /// Bytes of an answer that are read, at most.
  static let largestAnswer = 16 << 20

  public let url: String
  private let address: URL
  private let key: String?

  public init(_ settings: JudgeSettings) {
    address = settings.url
    key = settings.key
    url = settings.url.absoluteString
  }

  public func send(_ body: Data, timeout: Duration) throws -> HTTPAnswer {
    let seconds = max(timeout.seconds, 0.001)
    // The session's own clock starts when bytes stop flowing, and must not come first.
    var request = URLRequest(url: address, cachePolicy: .reloadIgnoringLocalCacheData, timeoutInterval: seconds + 5)
    request.httpMethod = "POST"
    request.httpBody = body
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    request.setValue("application/json", forHTTPHeaderField: "Accept")
    if let key { request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
    return try SharedSession.instance.send(request, deadline: Date(timeIntervalSinceNow: seconds))
  }
}

/// The process's session and the requests under way. Unchecked: guarded by `condition`.
private final class SharedSession: NSObject, URLSessionDataDelegate, @unchecked Sendable {
  static let instance = SharedSession()

  private struct Transfer {
    var body = Data()
    var result: Result<HTTPAnswer, TransportFailure>?
  }

  private let condition = NSCondition()
  private var transfers: [Int: Transfer] = [:]
  private var session: URLSession?

  private override init() {
    super.init()
    let configuration = URLSessionConfiguration.ephemeral
    configuration.httpShouldSetCookies = false
    configuration.urlCache = nil
    // Requests that wait for a connection would use up their time before they are sent.
    configuration.httpMaximumConnectionsPerHost = 256
    session = URLSession(configuration: configuration, delegate: self, delegateQueue: nil)
  }

  func send(_ request: URLRequest, deadline: Date) throws -> HTTPAnswer {
    condition.lock()
    defer { condition.unlock() }
    guard let task = session?.dataTask(with: request) else { throw TransportFailure.notConnected("no session") }
    let number = task.taskIdentifier
    transfers[number] = Transfer()
    task.resume()
    while transfers[number]?.result == nil {
      guard condition.wait(until: deadline) || transfers[number]?.result != nil else {
        transfers[number] = nil
        task.cancel()
        throw TransportFailure.timedOut
      }
    }
    guard let result = transfers.removeValue(forKey: number)?.result else {
      throw TransportFailure.broken("the answer was lost")
    }
    return try result.get()
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    condition.lock()
    defer { condition.unlock() }
    guard var transfer = transfers.removeValue(forKey: dataTask.taskIdentifier) else { return }
    transfer.body.append(data)
    if transfer.body.count > URLSessionEndpoint.largestAnswer, transfer.result == nil {
      transfer.result = .failure(.broken("the answer is larger than \(URLSessionEndpoint.largestAnswer) bytes"))
      dataTask.cancel()
      condition.broadcast()
    }
    transfers[dataTask.taskIdentifier] = transfer
  }

  func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    condition.lock()
    defer { condition.unlock() }
    guard let transfer = transfers[task.taskIdentifier], transfer.result == nil else { return }
    transfers[task.taskIdentifier]?.result = Self.result(task, transfer.body, error)
    condition.broadcast()
  }

  /// A redirect is an answer like any other: following one would send the request, and its key, somewhere else.
  func urlSession(
    _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
    newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
  ) {
    completionHandler(nil)
  }

  private static func result(
    _ task: URLSessionTask, _ body: Data, _ error: (any Error)?
  ) -> Result<HTTPAnswer, TransportFailure> {
    if let error = error as NSError? {
      let reason = error.localizedDescription
      switch error.code {
      case NSURLErrorTimedOut: return .failure(.timedOut)
      case NSURLErrorCannotConnectToHost, NSURLErrorCannotFindHost, NSURLErrorDNSLookupFailed,
        NSURLErrorNotConnectedToInternet, NSURLErrorSecureConnectionFailed, NSURLErrorServerCertificateUntrusted,
        NSURLErrorServerCertificateHasBadDate, NSURLErrorUnsupportedURL:
        return .failure(.notConnected(reason))
      default: return .failure(.broken(reason))
      }
    }
    guard let response = task.response as? HTTPURLResponse else { return .failure(.broken("no HTTP answer")) }
    var headers: [String: String] = [:]
    for (name, value) in response.allHeaderFields {
      if let name = name as? String, let value = value as? String { headers[name] = value }
    }
    let length = headers.first { $0.key.lowercased() == "content-length" }.flatMap { Int($0.value) }
    let isEncoded = headers.contains { $0.key.lowercased() == "content-encoding" }
    // Some versions take a connection that broke early for the end of the answer.
    if let length, !isEncoded, body.count < length {
      return .failure(.broken("\(body.count) of \(length) bytes came"))
    }
    return .success(HTTPAnswer(status: response.statusCode, headers: headers, body: body))
  }
}
