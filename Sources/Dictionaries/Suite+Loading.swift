import Checkpoints
public import Foundation
import Sites

extension Suite {
  /// The largest `suite.json` read.
  private static let mostBytes = 64 << 20

  /// Whether `folder` holds a suite.
  public static func isSuite(_ folder: URL) -> Bool {
    FileManager.default.fileExists(atPath: folder.appending(path: "suite.json").path)
  }

  /// Reads the `suite.json` in `folder`. Dictionaries are not opened.
  /// - Throws: `DictionaryError.file`, `.configuration` naming the key and, within the list, the entry.
  public init(contentsOf folder: URL) throws {
    let file = folder.appending(path: "suite.json")
    self = try readJSON(file, limit: Self.mostBytes) { try Suite(json: $0, folder: folder) }
  }

  /// Reads the text of `folder`'s `suite.json`.
  /// - Throws: as `init(contentsOf:)`.
  package init(json bytes: UnsafeRawBufferPointer, folder: URL) throws {
    let (model, entries) = try SuiteParser(path: folder.appending(path: "suite.json").path).parse(bytes)
    self.init(folder: folder, model: model, entries: entries)
  }
}

private struct SuiteParser {
  let path: String

  func failure(_ key: String, _ reason: String) -> DictionaryError {
    .configuration(path: path, key: key, reason: reason)
  }

  func parse(_ bytes: UnsafeRawBufferPointer) throws -> (Suite.Model, [Suite.Entry]) {
    var schema: Int?
    var model: Suite.Model?
    var entries: [Suite.Entry]?
    var scanner = JSONScanner(bytes)
    do {
      try scanner.object { key, scanner in
        switch key {
        case "schema": schema = try scanner.integer()
        case "model": model = try self.model(&scanner)
        case "dictionaries":
          var list: [Suite.Entry] = []
          try scanner.array { try list.append(entry(&$0, number: list.count)) }
          entries = list
        default: try scanner.skipValue()
        }
      }
      try scanner.end()
    } catch let error as JSONError {
      throw DictionaryError.file(path: path, reason: "is not a suite: \(error)")
    }
    guard schema == 1 else { throw failure("schema", "is \(schema.map(String.init) ?? "missing"); expected 1") }
    guard let model else { throw failure("model", "is missing") }
    guard let entries else { throw failure("dictionaries", "is missing") }
    var names: Set<String> = []
    if let twice = entries.first(where: { !names.insert($0.name).inserted }) {
      throw failure("dictionaries", "names '\(twice.name)' twice")
    }
    return (model, entries)
  }

  private func model(_ scanner: inout JSONScanner) throws -> Suite.Model {
    var name: String?
    var sha256: String?
    try scanner.object { key, scanner in
      switch key {
      case "name": name = try scanner.string()
      case "sha256":
        if try scanner.peek() == .null { return try scanner.null() }
        sha256 = try scanner.string().lowercased()
      default: try scanner.skipValue()
      }
    }
    guard let name else { throw failure("model.name", "is missing") }
    if let sha256, sha256.count != 64 || !sha256.allSatisfy(\.isHexDigit) {
      throw failure("model.sha256", "is '\(sha256)'; expected 64 hexadecimal digits")
    }
    return Suite.Model(name: normalisedModelName(name), sha256: sha256)
  }

  private struct Draft {
    var name, path: String?
    var kind: DictionaryKind?
    var sites: [Site]?
    var width: Int?
    var l0: Double?
    var isAffine = false
    var card: [String: Double] = [:]
  }

  private func entry(_ scanner: inout JSONScanner, number: Int) throws -> Suite.Entry {
    var draft = Draft()
    try scanner.object { key, scanner in
      let place = "dictionaries[\(number)].\(key)"
      if try scanner.peek() == .null { return try scanner.null() }
      switch key {
      case "name": draft.name = try scanner.string()
      case "path": draft.path = try relativePath(scanner.string(), place)
      case "kind":
        let text = try scanner.string()
        guard let kind = DictionaryKind(rawValue: text) else { throw failure(place, "is '\(text)', no known kind") }
        draft.kind = kind
      case "sites":
        var sites: [Site] = []
        try scanner.array { try sites.append(site($0.string(), place)) }
        draft.sites = sites
      case "width": draft.width = try scanner.integer()
      case "l0": draft.l0 = try scanner.double()
      case "affine": draft.isAffine = try scanner.bool()
      case "card": draft.card = try card(&scanner)
      default: try scanner.skipValue()
      }
    }
    func required<Value>(_ value: Value?, _ key: String) throws -> Value {
      guard let value else { throw failure("dictionaries[\(number)].\(key)", "is missing") }
      return value
    }
    let path = try required(draft.path, "path")
    return Suite.Entry(
      name: draft.name ?? path, path: path, kind: try required(draft.kind, "kind"),
      sites: try required(draft.sites, "sites"), width: try required(draft.width, "width"), l0: draft.l0,
      isAffine: draft.isAffine, card: draft.card)
  }

  private func site(_ text: String, _ place: String) throws -> Site {
    do {
      return try Site(text)
    } catch let error as SiteError {
      throw failure(place, "\(error)")
    }
  }

  /// A suite is moved as a whole, so its paths stay inside its folder.
  private func relativePath(_ text: String, _ place: String) throws -> String {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard !parts.contains(".."), !parts.contains(""), !text.contains("\0") else {
      throw failure(place, "is '\(text)'; expected a path below the suite's folder")
    }
    return text
  }

  /// The numbers of a card; whatever else it tells is for people.
  private func card(_ scanner: inout JSONScanner) throws -> [String: Double] {
    guard try scanner.peek() == .object else {
      try scanner.skipValue()
      return [:]
    }
    var numbers: [String: Double] = [:]
    try scanner.object { key, scanner in
      if try scanner.peek() == .number {
        numbers[key] = try scanner.double()
      } else {
        try scanner.skipValue()
      }
    }
    return numbers
  }
}
