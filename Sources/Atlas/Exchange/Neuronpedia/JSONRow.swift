import Checkpoints

/// A line of a JSON Lines file: an object whose members keep the order in which they are added.
struct JSONRow {
  private var text = "{"

  /// The whole line, its end included.
  var line: String { text + "}\n" }

  private mutating func add(_ key: String, raw value: String) {
    if text.utf8.count > 1 { text += "," }
    text += JSONText.quoted(key) + ":" + value
  }

  mutating func add(_ key: String, _ value: String?) { add(key, raw: value.map(JSONText.quoted) ?? "null") }
  mutating func add(_ key: String, _ value: Int?) { add(key, raw: value.map(String.init) ?? "null") }
  mutating func add(_ key: String, _ value: Bool) { add(key, raw: value ? "true" : "false") }
  mutating func add(_ key: String, _ values: [Int]) { add(key, list: values.map(String.init)) }
  mutating func add(_ key: String, _ values: [String]) { add(key, list: values.map(JSONText.quoted)) }

  /// - Parameter list: values as JSON.
  mutating func add(_ key: String, list: [String]) { add(key, raw: "[" + list.joined(separator: ",") + "]") }

  /// - Throws: `AtlasError.file` for a number that is not finite, which JSON has not.
  mutating func add(_ key: String, _ value: Float?) throws {
    add(key, raw: try value.map { try Self.number($0, key) } ?? "null")
  }

  mutating func add(_ key: String, _ values: [Float]) throws {
    add(key, list: try values.map { try Self.number($0, key) })
  }

  mutating func add(_ key: String, _ value: Double) throws {
    guard value.isFinite else { throw Self.notFinite(key) }
    add(key, raw: value == 0 ? "0" : "\(value)")
  }

  /// In the fewest digits that read back equal.
  private static func number(_ value: Float, _ key: String) throws -> String {
    guard value.isFinite else { throw notFinite(key) }
    return value == 0 ? "0" : "\(value)"
  }

  private static func notFinite(_ key: String) -> AtlasError {
    .file(path: key, reason: "holds a number that is not finite")
  }
}
