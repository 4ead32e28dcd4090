import Foundation
import Synchronization

/// An HTTP server on the loopback interface that answers as a script says: each request takes the next step, and the
/// last step again once the script is over. Good for one request a connection.
package final class ScriptedServer: Sendable {
  package struct Request: Sendable {
    package let method: String
    package let path: String
    /// By name in lower case.
    package let headers: [String: String]
    package let body: String
  }

  package enum Step: Sendable {
    /// An answer.
    case answer(_ body: String, status: Int = 200, headers: [String: String] = [:])
    /// An answer made from the request.
    case reply(@Sendable (Request) -> Step)
    /// The connection is held open without an answer, then closed.
    case hang(seconds: Double)
    /// Another step, after a while.
    indirect case late(seconds: Double, Step)
    /// The connection is closed after this many bytes of an answer whose length was announced.
    case cut(_ body: String, after: Int)
    /// The connection is reset at once.
    case reset
  }

  private struct State {
    var steps: [Step]
    var taken = 0
    var requests: [Request] = []
    var connections: Set<Int32> = []
    var isStopped = false
  }

  private let state: Mutex<State>
  private let listener: Int32
  private let port: UInt16

  /// Starts a server.
  package init(_ steps: [Step]) throws {
    state = Mutex(State(steps: steps))
    #if os(Linux)
      let stream = Int32(SOCK_STREAM.rawValue)
    #else
      let stream = SOCK_STREAM
    #endif
    let listener = socket(AF_INET, stream, 0)
    self.listener = listener
    guard listener >= 0 else { throw POSIXError(.EIO) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, length) == 0 && listen(listener, 128) == 0
          && getsockname(listener, address, &length) == 0
      }
    }
    guard isBound else {
      close(listener)
      throw POSIXError(.EADDRNOTAVAIL)
    }
    port = UInt16(bigEndian: address.sin_port)
    // A peer that hangs up while it is written to must not end the process.
    signal(SIGPIPE, SIG_IGN)
    let thread = Thread { [self] in accept() }
    thread.start()
  }

  package var url: String { "http://127.0.0.1:\(port)/v1" }

  /// Requests that came, in their order.
  package var requests: [Request] { state.withLock { $0.requests } }

  /// Closes all connections; later ones are refused.
  package func stop() {
    let open = state.withLock { state in
      state.isStopped = true
      return state.connections
    }
    shutdown(listener, Int32(SHUT_RDWR))
    for connection in open { shutdown(connection, Int32(SHUT_RDWR)) }
  }

  private func accept() {
    while true {
      let connection = Foundation.accept(listener, nil, nil)
      guard connection >= 0 else {
        if errno == EINTR || errno == ECONNABORTED { continue }
        break
      }
      let isStopped = state.withLock { state in
        if !state.isStopped { state.connections.insert(connection) }
        return state.isStopped
      }
      guard !isStopped else {
        close(connection)
        break
      }
      let thread = Thread { [self] in
        serve(connection)
        _ = state.withLock { $0.connections.remove(connection) }
        close(connection)
      }
      thread.start()
    }
    close(listener)
  }

  private func serve(_ connection: Int32) {
    guard let request = Self.read(connection) else { return }
    let step: Step? = state.withLock { state in
      state.requests.append(request)
      guard let last = state.steps.indices.last else { return nil }
      let step = state.steps[min(state.taken, last)]
      state.taken += 1
      return step
    }
    if let step { play(step, request, connection) }
  }

  private func play(_ step: Step, _ request: Request, _ connection: Int32) {
    switch step {
    case .answer(let body, let status, let headers):
      Self.write(Self.head(status, body.utf8.count, headers) + Array(body.utf8), to: connection)
    case .reply(let make): play(make(request), request, connection)
    case .hang(let seconds): pause(seconds)
    case .late(let seconds, let next):
      pause(seconds)
      play(next, request, connection)
    case .cut(let body, let count):
      Self.write(Self.head(200, body.utf8.count, [:]) + Array(body.utf8.prefix(count)), to: connection)
    case .reset:
      var linger = linger(l_onoff: 1, l_linger: 0)
      setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    }
  }

  private func pause(_ seconds: Double) {
    let end = Date(timeIntervalSinceNow: seconds)
    while Date() < end, !state.withLock({ $0.isStopped }) { Thread.sleep(forTimeInterval: 0.01) }
  }
}

extension ScriptedServer {
  private static func head(_ status: Int, _ length: Int, _ headers: [String: String]) -> [UInt8] {
    var lines = [
      "HTTP/1.1 \(status) Scripted", "Content-Type: application/json", "Content-Length: \(length)", "Connection: close",
    ]
    lines += headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
  }

  private static func read(_ connection: Int32) -> Request? {
    var bytes: [UInt8] = []
    guard let end = fill(&bytes, from: connection, until: { headEnd($0) }) else { return nil }
    let lines = String(decoding: bytes[..<end], as: UTF8.self).components(separatedBy: "\r\n")
    let words = (lines.first ?? "").split(separator: " ")
    guard words.count >= 2 else { return nil }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    if headers["expect"]?.lowercased() == "100-continue" {
      write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), to: connection)
    }
    let length = headers["content-length"].flatMap { Int($0) } ?? 0
    guard fill(&bytes, from: connection, until: { $0.count >= end + length ? 0 : nil }) != nil else { return nil }
    return Request(
      method: String(words[0]), path: String(words[1]), headers: headers,
      body: String(decoding: bytes[end..<end + length], as: UTF8.self))
  }

  /// Where the head of a request ends, its empty line included.
  private static func headEnd(_ bytes: [UInt8]) -> Int? {
    let mark = Array("\r\n\r\n".utf8)
    guard bytes.count >= mark.count else { return nil }
    return (mark.count...bytes.count).first { bytes[($0 - mark.count)..<$0].elementsEqual(mark) }
  }

  private static func fill(_ bytes: inout [UInt8], from connection: Int32, until end: ([UInt8]) -> Int?) -> Int? {
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      if let end = end(bytes) { return end }
      let count = recv(connection, &piece, piece.count, 0)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return nil }
      bytes += piece[..<count]
    }
  }

  private static func write(_ bytes: [UInt8], to connection: Int32) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { send(connection, $0.baseAddress.map { $0 + done }, $0.count - done, 0) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      done += count
    }
  }
}
