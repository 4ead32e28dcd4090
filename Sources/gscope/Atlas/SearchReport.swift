import Atlas
import Foundation

/// What a search of an atlas found.
struct SearchReport {
  /// Of what was asked.
  let query: [(key: String, value: JSONValue)]
  let results: [SearchResult]
  /// The text, where one was searched for.
  let text: TokenizedText?
  let writer: TokenWriter
  let seconds: Double

  var json: JSONValue {
    var members: [(key: String, value: JSONValue)] = [("query", .object(query))]
    if let text { members.append(("tokens", writer.json(text))) }
    members += [("results", .array(results.map(json))), ("seconds", .double(seconds))]
    return .document(id: text?.id, members)
  }

  private func json(_ result: SearchResult) -> JSONValue {
    var members: [(key: String, value: JSONValue)] = [
      ("dictionary", .string(result.key.dictionary)), ("index", .integer(result.key.index)),
    ]
    if let layer = result.key.layer { members.append(("layer", .integer(layer))) }
    members += [
      ("label", .optional(result.label)), ("label_score", .optional(result.labelScore)),
      ("label_untested", .optional(result.labelUntested.map(LabelWording.name))),
      ("score", .optional(result.score)), ("rate", .double(result.rate)), ("value", .optional(result.activation)),
      ("bits", text == nil ? .null : .optional(result.score)), ("position", .optional(result.row)),
      ("approximate", .bool(result.isApproximate)),
      ("example", result.example.map { AtlasFeatureReport.json($0) } ?? .null),
    ]
    return .object(members)
  }

  /// Prints a line for each feature.
  /// - Parameter unit: what results are ordered by.
  func show(_ unit: String) throws {
    guard !results.isEmpty else { return try StandardOutput.line("no feature found") }
    let isText = text != nil
    var columns: [TextTable.Column] = [.init(unit, .right)]
    if isText { columns += [.init("on", .right), .init("at", .right), .init("token")] }
    columns += [.init("feature"), .init("1 in", .right), .init("what it is on at")]
    var table = TextTable(columns)
    for result in results {
      var cells: [TextTable.Cell] = [
        .init((result.isApproximate ? "≥" : "") + (result.score.map { Format.short($0) } ?? "?"))
      ]
      if let text, let row = result.row {
        cells += [
          .init(Format.short(Double(result.activation ?? 0))), .init("\(row)", .dim),
          .init(writer.visible(text.ids[row]), .accent),
        ]
      }
      cells += [
        .init("\(result.key)"), .init(result.rate > 0 ? Format.short(1 / result.rate) : "never", .dim),
        .init(
          result.label.map { LabelWording.text($0, untested: result.labelUntested) } ?? result.example.map(Self.context)
            ?? ""),
      ]
      table.add(cells)
    }
    try table.write()
  }

  /// An example's token in «», and what stands beside it.
  private static func context(_ example: AtlasExample) -> String {
    let own = example.position - example.start
    func text(_ range: Range<Int>) -> String {
      let bytes = example.tokens[range.clamped(to: 0..<example.tokens.count)].flatMap(\.bytes)
      return VisibleText.piece(String(decoding: bytes, as: UTF8.self)).replacing("␣", with: " ")
    }
    let word = text(own..<own + 1)
    let trimmed = word.drop { $0 == " " }
    let space = String(word.prefix(word.count - trimmed.count))
    return text(own - 9..<own) + space + "«\(trimmed)»" + text(own + 1..<own + 6)
  }
}
