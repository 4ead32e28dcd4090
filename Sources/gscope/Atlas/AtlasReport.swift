import Atlas
import Foundation
import Sites

/// What an atlas is about.
struct AtlasReport {
  private let atlas: Atlas
  private let meta: [(key: String, value: String)]

  init(_ atlas: Atlas) throws {
    self.atlas = atlas
    meta = try ["model_name", "model_sha256", "tokens", "tokens_planned", "sequences", "context", "created"]
      .compactMap { key in try atlas.meta(key).map { (key, $0) } }
  }

  var json: JSONValue {
    .document(
      [("state", Self.state(atlas))]
        + meta.map { key, value in (key, Int(value).map { .integer($0) } ?? .string(value)) }
        + [("dictionaries", .array(atlas.dictionaries.map(Self.json)))])
  }

  static func state(_ atlas: Atlas) -> JSONValue { isComplete(atlas) ? "complete" : "building" }

  static func isComplete(_ atlas: Atlas) -> Bool { atlas.state == .complete }

  static func json(_ dictionary: AtlasDictionary) -> JSONValue {
    .object([
      ("name", .string(dictionary.name)), ("kind", .string(dictionary.kind)),
      ("site", .string(sites(dictionary.reads))), ("writes", .string(sites(dictionary.writes))),
      ("width", .integer(dictionary.features)), ("l0", .optional(dictionary.l0)),
      ("sha256", .string(dictionary.sha256)),
    ])
  }

  static func sites(_ sites: [Site]) -> String { sites.map(\.description).joined(separator: ",") }

  static func json(_ check: AtlasCheck, _ again: AtlasRecount?, digest: String) -> JSONValue {
    .document([
      ("faults", .array(check.faults.map { .string($0) })), ("remarks", .array(check.remarks.map { .string($0) })),
      ("features", .integer(check.features)),
      (
        "recount",
        again.map {
          .object([
            ("tokens", .integer($0.tokens)), ("examples", .integer($0.examples)), ("differing", .integer($0.differing)),
            ("worst", .double($0.worst)),
          ])
        } ?? .null
      ), ("digest", .string(digest)),
    ])
  }

  func show() throws {
    for (key, value) in meta {
      try StandardOutput.line("\(key.replacing("_", with: " ")): \(value)")
    }
    try Self.showDictionaries(atlas)
  }

  static func showDictionaries(_ atlas: Atlas) throws {
    var table = TextTable([
      .init("dictionary"), .init("kind"), .init("reads"), .init("features", .right), .init("L0", .right),
    ])
    for dictionary in atlas.dictionaries {
      let reads = dictionary.reads.count > 3 ? "\(dictionary.reads.count) sites" : Self.sites(dictionary.reads)
      table.add([
        .init(dictionary.name, .accent), .init(dictionary.kind), .init(reads),
        .init(Format.grouped(dictionary.features)), .init(Format.decimal(dictionary.l0, 1)),
      ])
    }
    try table.write()
  }
}
