package import Checkpoints
package import Foundation

/// Part of JSON Schema, draft 7: `type`, `enum`, `pattern`, `properties`, `required`, `additionalProperties: false`,
/// `items` and `$ref` to definitions of the same file. Any other word that restricts values is an error.
package struct JSONSchema {
  private let root: [String: JSONTree]
  private var patterns: [String: Regex<AnyRegexOutput>] = [:]
  private let known: Set<String> = [
    "type", "enum", "pattern", "properties", "required", "additionalProperties", "items", "$ref", "$schema", "$comment",
    "version", "definitions", "x-prisma-model", "x-left-out",
  ]

  package struct Fault: Error, CustomStringConvertible {
    package let description: String
  }

  package init(contentsOf url: URL) throws {
    guard case .object(let root) = try JSONTree([UInt8](Data(contentsOf: url))) else {
      throw Fault(description: "\(url.path) is no object")
    }
    self.root = root
    try compile(.object(root))
  }

  private mutating func compile(_ tree: JSONTree) throws {
    switch tree {
    case .object(let members):
      if case .string(let pattern)? = members["pattern"] { patterns[pattern] = try Regex(pattern) }
      for member in members.values { try compile(member) }
    case .array(let values): for value in values { try compile(value) }
    default: break
    }
  }

  /// The file's own version.
  package var version: Int? { root["version"]?.integer }

  /// What is wrong with `value` as `definitions.<name>` has it; nothing where it fits.
  package func faults(_ value: JSONTree, as name: String) throws -> [String] {
    try faults(value, try definition(name), name)
  }

  private func definition(_ name: String) throws -> [String: JSONTree] {
    guard case .object(let all)? = root["definitions"], case .object(let schema)? = all[name] else {
      throw Fault(description: "there is no definition '\(name)'")
    }
    return schema
  }

  private func faults(_ value: JSONTree, _ schema: [String: JSONTree], _ path: String) throws -> [String] {
    for word in schema.keys where !known.contains(word) { throw Fault(description: "'\(word)' is not understood") }
    if case .string(let reference)? = schema["$ref"] {
      return try faults(value, definition(String(reference.dropFirst("#/definitions/".count))), path)
    }
    var found: [String] = []
    if let type = schema["type"], !Self.strings(type).contains(where: { Self.fits(value, $0) }) {
      return ["\(path) is \(value), expected \(Self.strings(type).joined(separator: " or "))"]
    }
    if case .array(let allowed)? = schema["enum"], !allowed.contains(value) { found.append("\(path) is \(value)") }
    if case .string(let pattern)? = schema["pattern"], case .string(let text) = value,
      let regex = patterns[pattern], try regex.firstMatch(in: text) == nil
    {
      found.append("\(path) is '\(text)', which \(pattern) does not match")
    }
    if case .array(let values) = value, case .object(let items)? = schema["items"] {
      for (index, item) in values.enumerated() { found += try faults(item, items, "\(path)[\(index)]") }
    }
    guard case .object(let members) = value else { return found }
    for name in Self.strings(schema["required"] ?? .array([])) where members[name] == nil {
      found.append("\(path) lacks '\(name)'")
    }
    guard case .object(let properties)? = schema["properties"] else { return found }
    for (name, member) in members.sorted(by: { $0.key < $1.key }) {
      if case .object(let schema)? = properties[name] {
        found += try faults(member, schema, "\(path).\(name)")
      } else if schema["additionalProperties"] == .bool(false) {
        found.append("\(path) has '\(name)'")
      }
    }
    return found
  }

  private static func strings(_ tree: JSONTree) -> [String] {
    switch tree {
    case .string(let text): [text]
    case .array(let values): values.flatMap(strings)
    default: []
    }
  }

  private static func fits(_ value: JSONTree, _ type: String) -> Bool {
    switch (value, type) {
    case (.object, "object"), (.array, "array"), (.string, "string"), (.number, "number"), (.bool, "boolean"),
      (.null, "null"):
      true
    case (.number, "integer"): value.integer != nil
    default: false
    }
  }
}
