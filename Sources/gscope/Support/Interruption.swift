import Foundation
import Synchronization

/// Ctrl-C and termination: the signal is noted, and the work stops at its next check, so that files being written are
/// removed. A second signal ends the process at once.
enum Interruption {
  private static let received = Atomic<Int32>(0)

  static func install() {
    _ = received.load(ordering: .relaxed)
    // Whoever started this process may have had them blocked, which is inherited.
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGINT, SIGTERM] {
      sigaddset(&signals, number)
      var action = sigaction()
      #if os(Linux)
        action.__sigaction_handler.sa_handler = { Interruption.note($0) }
      #else
        action.__sigaction_u.__sa_handler = { Interruption.note($0) }
      #endif
      // No SA_RESTART: a read that waits for input is to return. SA_RESETHAND: once.
      action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
      sigaction(number, &action, nil)
    }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  private static func note(_ signal: Int32) { received.store(signal, ordering: .relaxed) }

  /// The signal that came, or 0.
  static var signal: Int32 { received.load(ordering: .relaxed) }

  /// Whether a signal came.
  static var isRequested: Bool { signal != 0 }

  /// - Throws: `CommandError.interrupted` once a signal came.
  static func check() throws {
    let signal = signal
    if signal != 0 { throw CommandError.interrupted(signal: signal) }
  }
}
