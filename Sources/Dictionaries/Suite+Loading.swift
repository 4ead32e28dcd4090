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

  /// The folders above `url` that hold suites, the nearest first: as many levels up as Gemma Scope's repositories have,
  /// and some.
  public static func folders(above url: URL) -> [URL] {
    var folder = url.absoluteURL.standardizedFileURL
    var found: [URL] = []
    for _ in 0..<6 where folder.pathComponents.count > 1 {
      folder.deleteLastPathComponent()
      if isSuite(folder) { found.append(folder) }
    }
    return found
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

  /// Reads an object; its keys stand there once, and JSON of the wrong type is a fault of the key it belongs to.
  /// - Parameter place: what comes before a key's name in messages.
  private func object(
    _ scanner: inout JSONScanner, _ place: String = "", _ member: (String, String, inout JSONScanner) throws -> Void
  ) throws {
    var seen: Set<String> = []
    try scanner.object { key, scanner in
      let name = place + key
      guard seen.insert(key).inserted else { throw failure(name, "stands there twice") }
      try named(name) { try member(key, name, &scanner) }
    }
  }

  private func named<Result>(_ key: String, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as JSONError {
      throw failure(key, "cannot be read: \(error)")
    }
  }

  func parse(_ bytes: UnsafeRawBufferPointer) throws -> (Suite.Model, [Suite.Entry]) {
    var schema: Int?
    var model: Suite.Model?
    var entries: [Suite.Entry]?
    var scanner = JSONScanner(bytes)
    do {
      try object(&scanner) { key, _, scanner in
        switch key {
        case "schema": schema = try scanner.integer()
        case "model": model = try self.model(&scanner)
        case "dictionaries":
          var list: [Suite.Entry] = []
          try scanner.array { scanner in
            let place = "dictionaries[\(list.count)]"
            list.append(try named(place) { try entry(&scanner, place) })
          }
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
    try object(&scanner, "model.") { key, _, scanner in
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

  private func entry(_ scanner: inout JSONScanner, _ number: String) throws -> Suite.Entry {
    var draft = Draft()
    try object(&scanner, number + ".") { key, place, scanner in
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
        guard !sites.isEmpty else { throw failure(place, "is empty; expected the sites read, then those written") }
        guard Set(sites).count == sites.count else { throw failure(place, "names a site twice") }
        draft.sites = sites
      case "width":
        let width = try scanner.integer()
        guard width > 0 else { throw failure(place, "is \(width); expected a positive number of features") }
        draft.width = width
      case "l0":
        let l0 = try scanner.double()
        guard l0.isFinite, l0 >= 0 else { throw failure(place, "is \(l0); expected a number of features from 0") }
        draft.l0 = l0
      case "affine": draft.isAffine = try scanner.bool()
      case "card":
        draft.card = try DictionaryCard(&scanner) { failure("\(place).\($0)", $1) }.figures
      default: try scanner.skipValue()
      }
    }
    func required<Value>(_ value: Value?, _ key: String) throws -> Value {
      guard let value else { throw failure("\(number).\(key)", "is missing") }
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
}
