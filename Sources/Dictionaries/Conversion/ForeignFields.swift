import Checkpoints
import Foundation

/// The members of another tool's JSON configuration, whatever they are; those of inner objects as `outer.inner`.
struct ForeignFields {
  enum Value: Equatable {
    case string(String)
    case number(Double)
    case bool(Bool)
  }

  let path: String
  private var values: [String: Value] = [:]

  private static let mostBytes = 4 << 20

  /// - Throws: `ConversionError.unreadable` for text that is no JSON object or has a key twice; `DictionaryError.file`.
  init(_ file: URL) throws {
    path = file.path
    values = try readJSON(file, limit: Self.mostBytes) { bytes in
      var scanner = JSONScanner(bytes)
      var values: [String: Value] = [:]
      do {
        try Self.read(&scanner, prefix: "", path: file.path, into: &values)
        try scanner.end()
      } catch let error as JSONError {
        throw ConversionError.unreadable(path: file.path, reason: "is not a JSON object: \(error)")
      }
      return values
    }
  }

  private static func read(
    _ scanner: inout JSONScanner, prefix: String, path: String, into values: inout [String: Value]
  ) throws {
    var seen: Set<String> = []
    try scanner.object { key, scanner in
      let name = prefix + key
      guard seen.insert(key).inserted else {
        throw ConversionError.unreadable(path: path, reason: "'\(name.prefix(200))' stands there twice")
      }
      switch try scanner.peek() {
      case .string: values[name] = .string(try scanner.string())
      case .number: values[name] = .number(try scanner.double())
      case .bool: values[name] = .bool(try scanner.bool())
      case .object where prefix.isEmpty: try read(&scanner, prefix: name + ".", path: path, into: &values)
      case .null, .array, .object: try scanner.skipValue()
      }
    }
  }

  /// The first of `names` that is there, as text.
  /// - Throws: `ConversionError.unreadable` when it is something else.
  func string(_ names: String...) throws -> String? {
    guard let name = names.first(where: { values[$0] != nil }) else { return nil }
    guard case .string(let text) = values[name] else { throw wrong(name, "text") }
    return text
  }

  func bool(_ name: String) throws -> Bool? {
    guard let value = values[name] else { return nil }
    guard case .bool(let flag) = value else { throw wrong(name, "true or false") }
    return flag
  }

  func number(_ names: String...) throws -> Double? {
    guard let name = names.first(where: { values[$0] != nil }) else { return nil }
    guard case .number(let number) = values[name], number.isFinite else { throw wrong(name, "a number") }
    return number
  }

  /// A positive whole number.
  func count(_ name: String) throws -> Int? {
    guard let number = try number(name) else { return nil }
    guard let count = Int(exactly: number), count > 0 else { throw wrong(name, "a positive whole number") }
    return count
  }

  private func wrong(_ name: String, _ expected: String) -> ConversionError {
    .unreadable(path: path, reason: "'\(name)' is not \(expected)")
  }
}
