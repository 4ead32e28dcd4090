import Foundation

/// Numbers for people.
enum Format {
  /// Fixed decimals; a dash where there is no number.
  static func decimal(_ number: Double?, _ digits: Int) -> String {
    guard let number, number.isFinite else { return "-" }
    return String(format: "%.\(digits)f", number)
  }

  static func percent(_ fraction: Double?) -> String {
    guard let fraction, fraction.isFinite else { return "-" }
    return String(format: "%.2f %%", fraction * 100)
  }

  /// A difference, with its sign.
  static func signed(_ number: Double?, _ digits: Int = 4) -> String {
    guard let number, number.isFinite else { return "-" }
    return (number >= 0 ? "+" : "") + decimal(number, digits)
  }

  /// About three figures.
  static func short(_ number: Double) -> String {
    let size = abs(number)
    if size >= 1000 { return String(format: "%.0f", number) }
    return String(format: size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : "%.2f", number)
  }

  /// `253 MB`, in powers of ten.
  static func bytes(_ count: Int) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    var value = Double(count)
    var unit = 0
    while value >= 999.5, unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    return unit == 0 ? "\(count) B" : "\(short(value)) \(units[unit])"
  }

  /// `268,098,176`.
  static func grouped(_ number: Int) -> String {
    let digits = String(number.magnitude)
    var out = ""
    for (i, digit) in digits.enumerated() {
      if i > 0, (digits.count - i) % 3 == 0 { out += "," }
      out.append(digit)
    }
    return number < 0 ? "-" + out : out
  }

  static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "?" }
    let whole = Int(seconds.rounded(.up))
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }

  /// `3 tokens`, `1 token`.
  static func count(_ number: Int, _ noun: String) -> String { "\(grouped(number)) \(noun)\(number == 1 ? "" : "s")" }
}
