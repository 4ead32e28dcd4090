import Foundation
import Logging
import Synchronization

/// Messages for people on the standard error.
enum Diagnostics {
  /// Sends the libraries' and commands' log there, from warnings up.
  static func start() { LoggingSystem.bootstrap { _ in StandardErrorLog() } }

  static let log = Logger(label: "gscope")

  private static let silence = Atomic<Bool>(false)

  /// Whether nothing is written: another rank tells.
  static var isQuiet: Bool {
    get { silence.load(ordering: .relaxed) }
    set { silence.store(newValue, ordering: .relaxed) }
  }

  static func error(_ text: String) { message("error: \(text)") }

  static func message(_ text: String) {
    guard !isQuiet else { return }
    Progress.clear()
    FileHandle.standardError.write(Data("gscope: \(text)\n".utf8))
  }
}

/// `gscope: warning: …`, one line a message.
private struct StandardErrorLog: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.warning

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) { Diagnostics.message("\(event.level): \(event.message)") }
}
