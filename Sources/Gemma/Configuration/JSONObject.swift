import Checkpoints

/// A parsed JSON object whose fields are read with errors that name file and field.
struct JSONObject {
  let file: String
  /// Where this object stands in the file: "text_config." or empty.
  let path: String
  let fields: [String: JSONTree]

  init(_ json: [UInt8], file: String) throws {
    let value: JSONTree
    do {
      value = try JSONTree(json)
    } catch let error as JSONError {
      throw GemmaError.notAModel(path: file, reason: "is not valid JSON: \(error)")
    }
    guard case .object(let fields) = value else {
      throw GemmaError.notAModel(path: file, reason: "is not a JSON object")
    }
    self.init(file: file, path: "", fields: fields)
  }

  private init(file: String, path: String, fields: [String: JSONTree]) {
    self.file = file
    self.path = path
    self.fields = fields
  }

  func error(_ field: String, _ problem: String) -> GemmaError {
    .configuration(file: file, field: path + field, problem: problem)
  }

  func missing(_ field: String) -> GemmaError { error(field, "is missing") }

  /// A field's value; nil when absent or null.
  private func value(_ field: String) -> JSONTree? {
    if case .null? = fields[field] { return nil }
    return fields[field]
  }

  private func required<T>(_ field: String, _ value: T?) throws -> T {
    guard let value else { throw missing(field) }
    return value
  }

  func optionalInteger(_ field: String) throws -> Int? {
    guard let value = value(field) else { return nil }
    guard let integer = value.integer else { throw error(field, "is not a whole number") }
    return integer
  }

  func optionalDouble(_ field: String) throws -> Double? {
    guard let value = value(field) else { return nil }
    guard case .number(let number) = value else { throw error(field, "is not a number") }
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
      guard let integer = $0.integer, let id = Int32(exactly: integer), id >= 0 else {
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
