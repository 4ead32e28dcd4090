import Foundation
import Synchronization

/// A line on the standard error that tells how far a long piece of work is, at what rate, and how long it will take. It
/// appears only on a terminal and only after a second. Every call also looks for an interruption.
final class Progress {
  private let what: String
  private let unit: String
  private let total: Int
  /// How many calls of `check` make up one unit of `total`, when the work reports layers and counts tokens.
  private var done = 0.0
  private let start = ContinuousClock.now
  private var shown = ContinuousClock.now

  /// - Parameter total: units of work; 0 when unknown.
  init(_ what: String, total: Int, unit: String) {
    self.what = what
    self.total = total
    self.unit = unit
  }

  deinit { Self.clear() }

  /// Counts `units` as done.
  /// - Throws: `CommandError.interrupted`.
  func advance(by units: Double) throws {
    done += units
    try Interruption.check()
    guard Terminal.isError else { return }
    let now = ContinuousClock.now
    guard now - start > .seconds(1), now - shown > .milliseconds(100) else { return }
    shown = now
    Self.show(line(seconds: (now - start) / .seconds(1)))
  }

  private func line(seconds: Double) -> String {
    let rate = done / seconds
    var parts = ["\(what): \(Int(done))\(total > 0 ? "/\(total)" : "") \(unit)", "\(Format.short(rate)) \(unit)/s"]
    if total > 0, rate > 0 { parts.append("\(Format.duration(max(0, Double(total) - done) / rate)) left") }
    return parts.joined(separator: ", ")
  }

  private static let isShown = Atomic<Bool>(false)

  /// Replaces the line on the terminal.
  static func show(_ line: String) {
    guard !Diagnostics.isQuiet else { return }
    FileHandle.standardError.write(Data("\r\u{1B}[K\(VisibleText.clipped(line, to: Terminal.errorWidth - 1))".utf8))
    isShown.store(true, ordering: .relaxed)
  }

  /// Removes the line before something else is written.
  static func clear() {
    if isShown.exchange(false, ordering: .relaxed) { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
  }
}
