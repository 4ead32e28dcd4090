import Checkpoints
public import Foundation
import Sites

extension InterventionList {
  /// Reads the JSON text `json`.
  /// - Parameters:
  ///   - file: names the text in errors.
  ///   - folder: what relative paths of vectors are relative to; the current directory when nil.
  /// - Throws: `GemmaError.input` for text that is no JSON object, `GemmaError.configuration` for a fault of the whole,
  ///   `GemmaError.intervention` for one of an entry.
  public init(json: [UInt8], file: String, folder: URL? = nil) throws {
    let object: JSONObject
    do {
      object = try JSONObject(json, file: file)
    } catch GemmaError.notAModel(let path, let reason) {
      throw GemmaError.input("\(path): \(reason)")
    }
    if let unknown = object.fields.keys.sorted().first(where: { !["schema", "interventions"].contains($0) }) {
      throw object.error(unknown, "is no known key; expected 'schema' and 'interventions'")
    }
    let schema = try object.integer("schema")
    guard schema == 1 else { throw object.error("schema", "is \(schema), expected 1") }
    guard let value = object.fields["interventions"] else { throw object.missing("interventions") }
    guard case .array(let entries) = value else { throw object.error("interventions", "is not a list") }
    self.init(
      try entries.enumerated().map { index, entry in
        guard case .object(let fields) = entry else {
          throw GemmaError.intervention(index: index, problem: "is not an object")
        }
        let intervention = try InterventionEntry(index: index, place: "", fields: fields).intervention(folder: folder)
        try intervention.validate(index: index)
        return intervention
      })
  }
}

/// One entry of the list, or an object within it, whose errors carry the entry's index.
private struct InterventionEntry {
  let index: Int
  /// "positions." within an entry, else empty.
  let place: String
  let fields: [String: JSONTree]

  private func failure(_ key: String, _ problem: String) -> GemmaError {
    .intervention(index: index, problem: "'\(place)\(key)' \(problem)")
  }

  private func known(_ keys: [String]) throws {
    guard let unknown = fields.keys.sorted().first(where: { !keys.contains($0) }) else { return }
    throw failure(unknown, "is no known key; expected \(keys.joined(separator: ", "))")
  }

  /// A key's value; nil when absent or null.
  private func value(_ key: String) -> JSONTree? {
    if case .null? = fields[key] { return nil }
    return fields[key]
  }

  private func string(_ key: String) throws -> String? {
    guard let value = value(key) else { return nil }
    guard case .string(let text) = value else { throw failure(key, "is not a string") }
    return text
  }

  private func integer(_ key: String) throws -> Int? {
    guard let value = value(key) else { return nil }
    guard let integer = value.integer else { throw failure(key, "is not a whole number") }
    return integer
  }

  private func number(_ key: String) throws -> Float? {
    guard let value = value(key) else { return nil }
    guard case .number(let number) = value else { throw failure(key, "is not a number") }
    let narrowed = Float(number)
    guard narrowed.isFinite else { throw failure(key, "is beyond the range of fp32") }
    return narrowed
  }

  private func bool(_ key: String) throws -> Bool? {
    guard let value = value(key) else { return nil }
    guard case .bool(let flag) = value else { throw failure(key, "is neither true nor false") }
    return flag
  }

  private func object(_ key: String, keys: [String]) throws -> InterventionEntry? {
    guard let value = value(key) else { return nil }
    guard case .object(let fields) = value else { throw failure(key, "is not an object") }
    let entry = InterventionEntry(index: index, place: place + key + ".", fields: fields)
    try entry.known(keys)
    return entry
  }

  private func choice<Choice: RawRepresentable<String> & CaseIterable>(_ key: String, of type: Choice.Type) throws
    -> Choice?
  {
    guard let text = try string(key) else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    throw failure(key, "is '\(text)', expected one of \(names)")
  }

  func intervention(folder: URL?) throws -> Intervention {
    try known([
      "kind", "dictionary", "layer", "feature", "vector", "site", "value", "unit", "keep_error", "positions", "layers",
    ])
    guard let kind = try choice("kind", of: Intervention.Kind.self) else { throw failure("kind", "is missing") }
    return Intervention(
      kind, try target(folder: folder), site: try site(), value: try number("value"),
      unit: try choice("unit", of: Intervention.Unit.self) ?? .raw, keepError: try bool("keep_error") ?? false,
      positions: try positions(), layers: try span("layers"))
  }

  private func target(folder: URL?) throws -> Intervention.Target {
    let dictionary = try string("dictionary")
    let feature = try integer("feature")
    let layer = try integer("layer")
    if let vector = try object("vector", keys: ["file", "tensor"]) {
      for key in ["dictionary", "feature", "layer"] where value(key) != nil {
        throw failure(key, "does not go with 'vector'")
      }
      guard let file = try vector.string("file") else { throw vector.failure("file", "is missing") }
      guard let tensor = try vector.string("tensor") else { throw vector.failure("tensor", "is missing") }
      guard !file.isEmpty, !file.contains("\0") else { throw vector.failure("file", "is no path") }
      return .vector(.init(file: URL(filePath: file, relativeTo: folder).absoluteURL, tensor: tensor))
    }
    guard let dictionary else {
      throw failure("dictionary", "is missing, and so is 'vector': one of them says what to act on")
    }
    if let feature { return .feature(.init(dictionary: dictionary, layer: layer, index: feature)) }
    guard layer == nil else { throw failure("layer", "goes with 'feature', which is missing") }
    return .dictionary(dictionary)
  }

  private func site() throws -> Site? {
    guard let text = try string("site") else { return nil }
    do {
      return try Site(text)
    } catch let error as SiteError {
      throw failure("site", "is wrong: \(error)")
    }
  }

  private func positions() throws -> Intervention.Positions {
    switch value("positions") {
    case nil: return .all
    case .string("all"): return .all
    case .string("prompt"): return .prompt
    case .string("generated"): return .generated
    case .array(let values):
      return .list(
        try values.map {
          guard let position = $0.integer else {
            throw failure("positions", "holds something else than whole numbers")
          }
          return position
        })
    case .object: return .range(try span("positions") ?? .init())
    default:
      throw failure("positions", "is none of \"all\", \"prompt\", \"generated\", a list, or {\"from\",\"to\"}")
    }
  }

  private func span(_ key: String) throws -> Intervention.Span? {
    guard let span = try object(key, keys: ["from", "to"]) else { return nil }
    return .init(from: try span.integer("from") ?? 0, to: try span.integer("to"))
  }
}
