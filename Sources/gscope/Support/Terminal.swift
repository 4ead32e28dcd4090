import Foundation

/// What the standard output and error are connected to.
enum Terminal {
  static let isOutput = isatty(STDOUT_FILENO) == 1
  static let isError = isatty(STDERR_FILENO) == 1

  /// Columns to fit the output in; nil when it is not a terminal, where lines are written whole.
  static let width: Int? = isOutput ? columns(STDOUT_FILENO) : nil
  static let errorWidth = columns(STDERR_FILENO)

  /// Colours only where a terminal shows them and the user has not declined (https://no-color.org).
  static let isColoured: Bool = {
    let environment = ProcessInfo.processInfo.environment
    return isOutput && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
  }()

  private static func columns(_ descriptor: Int32) -> Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}

/// How a piece of text looks on a terminal.
enum TextStyle: String {
  case plain = ""
  case bold = "1"
  case dim = "2"
  case good = "32"
  case warning = "33"
  case bad = "31"
  case accent = "36"

  func apply(_ text: String) -> String {
    Terminal.isColoured && self != .plain && !text.isEmpty ? "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" : text
  }
}
