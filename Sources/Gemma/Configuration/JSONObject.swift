import Checkpoints

/// A parsed JSON object whose fields are read with errors that name file and field.
struct JSONObject {
  indirect enum Value {
    case object([String: Value])
    case array([Value])
    case string(String)
    case number(Double, integer: Int?)
    case bool(Bool)
    case null
  }

  let file: String
  /// Where this object stands in the file: "text_config." or empty.
  let path: String
  let fields: [String: Value]

  init(_ json: [UInt8], file: String) throws {
    let value = try json.withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      do {
        let value = try Self.parse(&scanner)
        try scanner.end()
        return value
      } catch let error as JSONError {
        throw GemmaError.notAModel(path: file, reason: "is not valid JSON: \(error)")
      }
    }
    guard case .object(let fields) = value else {
      throw GemmaError.notAModel(path: file, reason: "is not a JSON object")
    }
    self.init(file: file, path: "", fields: fields)
  }

  private init(file: String, path: String, fields: [String: Value]) {
    self.file = file
    self.path = path
    self.fields = fields
  }

  private static func parse(_ scanner: inout JSONScanner) throws -> Value {
    switch try scanner.peek() {
    case .object:
      var fields: [String: Value] = [:]
      try scanner.object { key, scanner in
        let value = try parse(&scanner)
        guard fields.updateValue(value, forKey: key) == nil else { throw scanner.error("duplicate key '\(key)'") }
      }
      return .object(fields)
    case .array:
      var values: [Value] = []
      try scanner.array { values.append(try parse(&$0)) }
      return .array(values)
    case .string: return .string(try scanner.string())
    case .number:
      let number = try scanner.double()
      return .number(number, integer: Int(exactly: number))
    case .bool: return .bool(try scanner.bool())
    case .null:
      try scanner.null()
      return .null
    }
  }

  func error(_ field: String, _ problem: String) -> GemmaError {
    .configuration(file: file, field: path + field, problem: problem)
  }

  func missing(_ field: String) -> GemmaError { error(field, "is missing") }

  /// A field's value; nil when absent or null.
  private func value(_ field: String) -> Value? {
    if case .null? = fields[field] { return nil }
    return fields[field]
  }

  private func required<T>(_ field: String, _ value: T?) throws -> T {
    guard let value else { throw missing(field) }
    return value
  }

  func optionalInteger(_ field: String) throws -> Int? {
    guard let value = value(field) else { return nil }
    guard case .number(_, let integer?) = value else { throw error(field, "is not a whole number") }
    return integer
  }

  func optionalDouble(_ field: String) throws -> Double? {
    guard let value = value(field) else { return nil }
    guard case .number(let number, _) = value else { throw error(field, "is not a number") }
    return number
  }

  func optionalString(_ field: String) throws -> String? {
    guard let value = value(field) else { return nil }
    guard case .string(let text) = value else { throw error(field, "is not a string") }
    return text
  }

  func optionalBool(_ field: String) throws -> Bool? {
    guard let value = value(field) else { return nil }
    guard case .bool(let flag) = value else { throw error(field, "is neither true nor false") }
    return flag
  }

  func optionalStrings(_ field: String) throws -> [String]? {
    guard let value = value(field) else { return nil }
    guard case .array(let values) = value else { throw error(field, "is not a list") }
    return try values.map {
      guard case .string(let text) = $0 else { throw error(field, "holds something other than strings") }
      return text
    }
  }

  func optionalObject(_ field: String) throws -> JSONObject? {
    guard let value = value(field) else { return nil }
    guard case .object(let fields) = value else { throw error(field, "is not an object") }
    return JSONObject(file: file, path: path + field + ".", fields: fields)
  }

  /// One token id or a list of them.
  func tokenList(_ field: String) throws -> [Int32]? {
    guard let value = value(field) else { return nil }
    let values = if case .array(let list) = value { list } else { [value] }
    return try values.map {
      guard case .number(_, let integer?) = $0, let id = Int32(exactly: integer), id >= 0 else {
        throw error(field, "is not a token id")
      }
      return id
    }
  }

  func integer(_ field: String) throws -> Int { try required(field, optionalInteger(field)) }
  func double(_ field: String) throws -> Double { try required(field, optionalDouble(field)) }
  func string(_ field: String) throws -> String { try required(field, optionalString(field)) }
  func object(_ field: String) throws -> JSONObject { try required(field, optionalObject(field)) }
}
