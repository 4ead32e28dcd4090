import Foundation

/// The bytes of a file or, for `-`, of the standard input, whole or line by line as they come. Waiting for input ends
/// with Ctrl-C.
final class LineReader {
  let path: String
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  /// Where in the buffer what was not handed out begins.
  private var start = 0
  private var isAtEnd = false
  /// Bytes asked for at once. Constant: pipes give no more than 64 KiB, and what was not filled is made anew each time.
  private static let pieceSize = 256 << 10

  /// - Throws: `CommandError.file`.
  init(_ path: String) throws {
    self.path = path == "-" ? "standard input" : path
    descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw CommandError.file(path: path, reason: String(cString: strerror(errno))) }
  }

  deinit { if descriptor > 2 { close(descriptor) } }

  /// The rest of the file.
  func all() throws -> [UInt8] {
    while !isAtEnd { try fill() }
    defer { start = buffer.count }
    return Array(buffer[start...])
  }

  /// The next line without its end, or nil after the last.
  func next() throws -> [UInt8]? {
    var searched = 0
    while true {
      if let end = buffer[(start + searched)...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { start = end + 1 }
        return Array(buffer[start..<end])
      }
      searched = buffer.count - start
      if isAtEnd {
        defer { start = buffer.count }
        return searched == 0 ? nil : Array(buffer[start...])
      }
      try fill()
    }
  }

  private func fill() throws {
    try waitForInput()
    buffer.removeFirst(start)
    start = 0
    let old = buffer.count
    buffer.append(contentsOf: repeatElement(0, count: Self.pieceSize))
    let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress.map { $0 + old }, $0.count - old) }
    let code = errno
    buffer.removeLast(buffer.count - old - max(count, 0))
    try Interruption.check()
    if count < 0, code != EINTR { throw CommandError.file(path: path, reason: String(cString: strerror(code))) }
    isAtEnd = count == 0
  }

  /// Waits in short turns: a signal that comes just before a read begins would not end it.
  private func waitForInput() throws {
    var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    repeat { try Interruption.check() } while poll(&poller, 1, 100) == 0
    try Interruption.check()
  }
}
