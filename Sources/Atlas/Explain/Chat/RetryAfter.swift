package import Foundation

/// How long a server asks to wait, in seconds.
package enum RetryAfter {
  /// From `retry-after-ms`, else `retry-after` as seconds or a date (RFC 9110, section 10.2.3); nil where neither can be
  /// read.
  package static func seconds(_ headers: [String: String], now: Date) -> Double? {
    if let value = headers["retry-after-ms"].flatMap(number) { return value / 1000 }
    guard let text = headers["retry-after"]?.trimmingCharacters(in: .whitespaces) else { return nil }
    if let value = number(text) { return value }
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(secondsFromGMT: 0)
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
    return formatter.date(from: text).map { max($0.timeIntervalSince(now), 0) }
  }

  private static func number(_ text: String) -> Double? {
    guard let value = Double(text.trimmingCharacters(in: .whitespaces)), value.isFinite, value >= 0 else { return nil }
    return value
  }
}
