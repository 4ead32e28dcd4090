import Foundation

/// The standard output, unbuffered: what has been computed is on its way before the next piece of work begins.
enum StandardOutput {
  /// - Throws: `CommandError.outputClosed` when nobody reads any more, `.file` for other faults (a full disk).
  static func write(_ text: String) throws {
    Progress.clear()
    var text = text
    try text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = Foundation.write(STDOUT_FILENO, rest.baseAddress, rest.count)
        if count > 0 {
          rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        } else if errno == EPIPE {
          throw CommandError.outputClosed
        } else if errno != EINTR {
          throw CommandError.file(path: "standard output", reason: String(cString: strerror(errno)))
        }
      }
    }
  }

  static func line(_ text: String) throws { try write(text + "\n") }
  static func line(_ value: JSONValue) throws { try write(value.text + "\n") }
}
