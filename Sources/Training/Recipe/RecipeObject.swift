import Checkpoints
import Foundation

extension JSONTree {
  /// The kind of value, for errors.
  var name: String {
    switch self {
    case .object: "an object"
    case .array: "a list"
    case .string(let text): "\"\(text.prefix(60))\""
    case .number(let number): RecipeObject.text(number)
    case .bool(let flag): "\(flag)"
    case .null: "null"
    }
  }
}

/// An object of a recipe, read with errors that name the file and the key. Keys that nobody knows are errors: a
/// misspelt `learning_rate` must not train for hours at the default.
struct RecipeObject {
  let file: String
  /// Where it stands in the file: `sparsity.` or empty.
  let place: String
  var fields: [String: JSONTree]

  static let largestFile = 1 << 20

  /// Reads the text of `url`.
  init(contentsOf url: URL) throws {
    let data: Data
    do {
      let handle = try FileHandle(forReadingFrom: url)
      defer { try? handle.close() }
      // A file of another sort may be endless.
      data = try handle.read(upToCount: Self.largestFile + 1) ?? Data()
    } catch {
      throw RecipeError.file(path: url.path, reason: "cannot be read")
    }
    guard data.count <= Self.largestFile else {
      throw RecipeError.file(path: url.path, reason: "is too long; a recipe has at most a megabyte")
    }
    try self.init(json: Array(data), file: url.path)
  }

  init(json: [UInt8], file: String) throws {
    do {
      let value = try JSONTree(json)
      guard case .object(let fields) = value else {
        throw RecipeError.file(path: file, reason: "is no JSON object, but \(value.name)")
      }
      self.init(file: file, place: "", fields: fields)
    } catch let error as JSONError {
      throw RecipeError.file(path: file, reason: "is not JSON: \(error)")
    }
  }

  init(file: String, place: String, fields: [String: JSONTree]) {
    self.file = file
    self.place = place
    self.fields = fields
  }

  func failure(_ key: String, _ reason: String) -> RecipeError {
    .value(path: file, key: place + key, reason: reason)
  }

  /// A number without a needless `.0`.
  static func text(_ number: Double) -> String { Int(exactly: number).map(String.init) ?? "\(number)" }
}

extension RecipeObject {
  /// - Throws: `RecipeError.value` for a key outside `keys`.
  func only(_ keys: [String]) throws {
    guard let unknown = fields.keys.sorted().first(where: { !keys.contains($0) }) else { return }
    throw failure(unknown, "is no known key; expected \(keys.joined(separator: ", "))")
  }

  /// A key's value; nil when absent or null.
  func value(_ key: String) -> JSONTree? {
    if case .null? = fields[key] { return nil }
    return fields[key]
  }

  func string(_ key: String) throws -> String? {
    guard let value = value(key) else { return nil }
    guard case .string(let text) = value else { throw failure(key, "is \(value.name); expected a text") }
    return text
  }

  func bool(_ key: String) throws -> Bool? {
    guard let value = value(key) else { return nil }
    guard case .bool(let flag) = value else { throw failure(key, "is \(value.name); expected true or false") }
    return flag
  }

  /// - Parameter isPositive: whether `range`'s lower bound itself is refused.
  func number(_ key: String, in range: ClosedRange<Double>, isAbove: Bool = false) throws -> Double? {
    guard let value = value(key) else { return nil }
    return try number(value, key, in: range, isAbove: isAbove)
  }

  private func number(_ value: JSONTree, _ key: String, in range: ClosedRange<Double>, isAbove: Bool) throws
    -> Double
  {
    let (low, high) = (Self.text(range.lowerBound), Self.text(range.upperBound))
    let expected = "expected a number \(isAbove ? "above" : "from") \(low) to \(high)"
    guard case .number(let number) = value else { throw failure(key, "is \(value.name); \(expected)") }
    guard range.contains(number), !isAbove || number > range.lowerBound else {
      throw failure(key, "is \(Self.text(number)); \(expected)")
    }
    return number
  }

  func integer(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let value = value(key) else { return nil }
    return try integer(value, key, in: range)
  }

  private func integer(_ value: JSONTree, _ key: String, in range: ClosedRange<Int>) throws -> Int {
    let expected = "expected a whole number from \(range.lowerBound) to \(range.upperBound)"
    guard let integer = value.integer, range.contains(integer) else {
      throw failure(key, "is \(value.name); \(expected)")
    }
    return integer
  }

  func integers(_ key: String, in range: ClosedRange<Int>) throws -> [Int]? {
    try list(key)?.enumerated().map { try integer($1, "\(key)[\($0)]", in: range) }
  }

  func numbers(_ key: String, in range: ClosedRange<Double>) throws -> [Double]? {
    try list(key)?.enumerated().map { try number($1, "\(key)[\($0)]", in: range, isAbove: false) }
  }

  /// A text, or a list of texts.
  func strings(_ key: String) throws -> [String]? {
    if case .string(let text)? = value(key) { return [text] }
    return try list(key)?.enumerated().map {
      guard case .string(let text) = $1 else { throw failure("\(key)[\($0)]", "is \($1.name); expected a text") }
      return text
    }
  }

  func list(_ key: String) throws -> [JSONTree]? {
    guard let value = value(key) else { return nil }
    guard case .array(let values) = value else { throw failure(key, "is \(value.name); expected a list") }
    return values
  }

  func object(_ key: String, keys: [String]) throws -> RecipeObject? {
    guard let value = value(key) else { return nil }
    guard case .object(let fields) = value else {
      throw failure(key, "is \(value.name); expected an object with \(keys.joined(separator: ", "))")
    }
    let object = RecipeObject(file: file, place: place + key + ".", fields: fields)
    try object.only(keys)
    return object
  }

  func choice<Choice: RawRepresentable<String> & CaseIterable>(_ key: String, of type: Choice.Type) throws -> Choice? {
    guard let value = value(key) else { return nil }
    if case .string(let text) = value, let choice = Choice(rawValue: text) { return choice }
    throw failure(
      key, "is \(value.name); expected one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
  }

  /// These fields with those of `other` in their place; objects within are merged alike.
  func merged(with other: [String: JSONTree]) -> RecipeObject {
    var merged = self
    for (key, value) in other { merged.fields[key] = Self.merged(fields[key], value) }
    return merged
  }

  private static func merged(_ base: JSONTree?, _ other: JSONTree) -> JSONTree {
    guard case .object(var fields)? = base, case .object(let others) = other else { return other }
    for (key, value) in others { fields[key] = merged(fields[key], value) }
    return .object(fields)
  }
}
