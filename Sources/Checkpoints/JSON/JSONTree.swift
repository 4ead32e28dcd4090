/// A JSON text as values, for small files of which every key is looked at. Large ones are walked with a `JSONScanner`.
package indirect enum JSONTree: Equatable, Sendable {
  case object([String: JSONTree])
  case array([JSONTree])
  case string(String)
  case number(Double)
  case bool(Bool)
  case null

  /// Reads a whole text.
  /// - Throws: `JSONError`, also for an object that has a key twice.
  package init(_ json: [UInt8]) throws {
    self = try json.withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      let value = try Self.parse(&scanner)
      try scanner.end()
      return value
    }
  }

  private static func parse(_ scanner: inout JSONScanner) throws -> JSONTree {
    switch try scanner.peek() {
    case .object:
      var fields: [String: JSONTree] = [:]
      try scanner.object { key, scanner in
        let value = try parse(&scanner)
        guard fields.updateValue(value, forKey: key) == nil else { throw scanner.error("'\(key)' stands there twice") }
      }
      return .object(fields)
    case .array:
      var values: [JSONTree] = []
      try scanner.array { values.append(try parse(&$0)) }
      return .array(values)
    case .string: return .string(try scanner.string())
    case .number: return .number(try scanner.double())
    case .bool: return .bool(try scanner.bool())
    case .null:
      try scanner.null()
      return .null
    }
  }

  /// The number, where it is a whole one.
  package var integer: Int? {
    guard case .number(let number) = self else { return nil }
    return Int(exactly: number)
  }
}
