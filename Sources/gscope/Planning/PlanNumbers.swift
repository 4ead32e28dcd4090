import ArgumentParser
import Foundation

/// A count of tokens: `2000000`, `2e6`, `500M`, `8B`.
struct TokenCount: ExpressibleByArgument, Equatable {
  let value: Double

  init(_ value: Double) { self.value = value }

  init?(argument: String) {
    let units: [Character: Double] = ["k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12]
    let unit = argument.last.flatMap { units[$0] }
    guard let number = Double(unit == nil ? argument : String(argument.dropLast())), number.isFinite, number > 0,
      number * (unit ?? 1) <= 1e18
    else { return nil }
    value = number * (unit ?? 1)
  }

  var defaultValueDescription: String { Self.text(value) }

  /// `8 B`, in powers of ten.
  static func text(_ count: Double) -> String {
    for (size, unit) in [(1e15, "Q"), (1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")] where count >= size * 0.9995 {
      return "\(Format.short(count / size)) \(unit)"
    }
    return Format.short(count)
  }
}

/// Features: a number, or a width as Gemma Scope names it (`16k` is 16,384).
enum FeatureWidth {
  /// More than any dictionary has.
  static let most = 1 << 28

  static func features(_ text: String) -> Int? {
    let names = [
      "16k": 1 << 14, "32k": 1 << 15, "65k": 1 << 16, "131k": 1 << 17, "262k": 1 << 18, "524k": 1 << 19, "1m": 1 << 20,
    ]
    guard let width = names[text.lowercased()] ?? Int(text), 1...most ~= width else { return nil }
    return width
  }
}

/// Values with commas, each option repeatable.
enum CommaList {
  /// - Throws: `ValidationError` naming the option and the item.
  static func values<Value>(
    _ texts: [String], _ flag: String, _ what: String, _ parse: (String) -> Value?
  ) throws -> [Value] {
    try texts.flatMap { $0.split(separator: ",") }.map { text in
      guard let value = parse(String(text)) else { throw ValidationError("\(flag): '\(text)' is no \(what).") }
      return value
    }
  }
}
