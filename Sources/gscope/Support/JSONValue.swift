import Checkpoints

/// JSON to write: members keep the order in which they are given, numbers print in the fewest digits that read back
/// equal, and numbers that are not finite become null.
indirect enum JSONValue {
  case null
  case bool(Bool)
  case integer(Int)
  case float(Float)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([(key: String, value: JSONValue)])

  /// One line, without spaces.
  var text: String {
    var out = ""
    append(to: &out)
    return out
  }

  private func append(to out: inout String) {
    switch self {
    case .null: out += "null"
    case .bool(let flag): out += flag ? "true" : "false"
    case .integer(let number): out += "\(number)"
    case .float(let number): out += number.isFinite ? "\(number)" : "null"
    case .double(let number): out += number.isFinite ? "\(number)" : "null"
    case .string(let text): out += JSONText.quoted(text)
    case .array(let values):
      out += "["
      for (i, value) in values.enumerated() {
        if i > 0 { out += "," }
        value.append(to: &out)
      }
      out += "]"
    case .object(let members):
      out += "{"
      for (i, member) in members.enumerated() {
        if i > 0 { out += "," }
        out += JSONText.quoted(member.key) + ":"
        member.value.append(to: &out)
      }
      out += "}"
    }
  }
}

extension JSONValue {
  static func optional(_ number: Double?) -> JSONValue { number.map { .double($0) } ?? .null }
  static func optional(_ number: Float?) -> JSONValue { number.map { .float($0) } ?? .null }
  static func optional(_ number: Int?) -> JSONValue { number.map { .integer($0) } ?? .null }
  static func optional(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }

  /// An object of a command's output: the schema's version, the id of one text among several, then `members`.
  static func document(id: JSONValue? = nil, _ members: [(key: String, value: JSONValue)]) -> JSONValue {
    .object([("schema", 1)] + (id.map { [("id", $0)] } ?? []) + members)
  }
}

extension JSONValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByNilLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral
{
  init(integerLiteral value: Int) { self = .integer(value) }
  init(stringLiteral value: String) { self = .string(value) }
  init(nilLiteral: ()) { self = .null }
  init(booleanLiteral value: Bool) { self = .bool(value) }
  init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(elements.map { ($0.0, $0.1) }) }
  init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
}
