import Checkpoints
import Foundation

/// What stands in a ledger.
struct LedgerContents {
  /// A line: its bytes without the end, and its number from 1.
  struct Place {
    let bytes: Range<Int>
    let line: Int
  }

  /// Calls that a ledger can have.
  private static let mostCalls = 1 << 53
  static let heading = "{\"schema\":1,\"ledger\":\"gscope explain\"}"

  /// Where the next line goes.
  var end = 0
  var lines = 0
  /// The largest number of a call.
  var calls = 0
  /// Tokens spent; calls that were never settled count in full.
  var spent = 0
  /// Questions whose text is in the file.
  var asked: Set<String> = []
  /// Answers by their question.
  var answers: [String: Place] = [:]

  /// Reads a file up to its last whole line.
  /// - Throws: `ExplanationError.ledger`, `.ledgerLine`.
  init(_ file: URL) throws {
    let data: Data
    do {
      data = try Data(contentsOf: file, options: .mappedIfSafe)
    } catch {
      throw ExplanationError.ledger(file: file.path, reason: "\(error.localizedDescription)")
    }
    var open: [Int: Int] = [:]
    try data.withUnsafeBytes { bytes in
      while let stop = bytes[end...].firstIndex(of: UInt8(ascii: "\n")) {
        lines += 1
        let line = UnsafeRawBufferPointer(rebasing: bytes[end..<stop])
        do {
          try add(line, Place(bytes: end..<stop, line: lines), &open)
        } catch {
          throw ExplanationError.ledgerLine(file: file.path, line: lines, reason: "\(error)")
        }
        end = stop + 1
      }
      // The first line alone may be half written, by a run that was killed; anything else is no ledger.
      let rest = bytes[end...]
      guard end > 0 || rest.count <= Self.heading.utf8.count && Self.heading.utf8.starts(with: rest) else {
        throw ExplanationError.ledgerLine(file: file.path, line: 1, reason: "expected \(Self.heading)")
      }
    }
    for reservation in open.values { spent = spent.saturatingSum(reservation) }
  }

  private mutating func add(_ line: UnsafeRawBufferPointer, _ place: Place, _ open: inout [Int: Int]) throws {
    var numbers: [String: Int] = [:]
    var texts: [String: String] = [:]
    var hasBody = false
    var scanner = JSONScanner(line)
    try scanner.object { name, scanner in
      switch name {
      case "schema", "sent", "reserved", "answered", "failed", "spent": numbers[name] = try scanner.integer()
      case "key", "ledger": texts[name] = try scanner.string()
      case "body":
        hasBody = try scanner.peek() == .string
        try scanner.skipValue()
      default: try scanner.skipValue()
      }
    }
    try scanner.end()
    func number(_ name: String) throws -> Int {
      guard let value = numbers[name], value >= 0 else { throw scanner.error("expected '\(name)', at least 0,") }
      return value
    }
    guard place.line > 1 else {
      guard texts["ledger"] == "gscope explain", numbers["schema"] == 1 else {
        throw scanner.error("expected \(Self.heading)")
      }
      return
    }
    if let call = numbers["sent"] {
      guard let key = texts["key"], open.updateValue(try number("reserved"), forKey: call) == nil, call > calls,
        call < Self.mostCalls
      else {
        throw scanner.error("expected a key, and a number above \(calls) and below 2^53,")
      }
      calls = call
      asked.insert(key)
    } else if let call = numbers["answered"] ?? numbers["failed"] {
      guard open.removeValue(forKey: call) != nil else { throw scanner.error("expected a call that is open") }
      spent = spent.saturatingSum(try number("spent"))
      guard numbers["answered"] != nil else { return }
      guard let key = texts["key"], hasBody else { throw scanner.error("expected a key and a body") }
      answers[key] = place
    } else {
      throw scanner.error("expected 'sent', 'answered' or 'failed'")
    }
  }
}
