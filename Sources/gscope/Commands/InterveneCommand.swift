import ArgumentParser
import Foundation
import Gemma

/// `gscope intervene`
struct InterveneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "intervene", abstract: "Show the predictions before and after changing activations.",
    discussion: """
      Example: gscope intervene --dictionary resid=dictionaries/layer_9 --steer 'resid#812=40' --text "I think that"
      """)

  enum Freeze: String, ExpressibleByArgument, CaseIterable { case none, attention, all }

  @OptionGroup var model: ModelOptions
  @OptionGroup var dictionaries: DictionaryOptions
  @OptionGroup var changes: InterventionOptions
  @OptionGroup var input: TextOptions

  @Option(help: ArgumentHelp("How many of the likeliest next tokens to show.", valueName: "k"))
  var topK = 10

  @Option(help: ArgumentHelp("Positions to report: last, all, or a list such as 3,4.", valueName: "positions"))
  var positions = PositionSelection.last

  @Option(help: ArgumentHelp("What keeps its value from before; this version has none.", valueName: "what"))
  var freeze = Freeze.none

  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    _ = try input.required()
    if changes.isEmpty { throw ValidationError("Missing --interventions or --steer.") }
    if topK < 1 { throw ValidationError("--top-k is \(topK); expected a number from 1.") }
  }

  func run() throws {
    guard freeze == .none else {
      throw CommandError.unavailable(flag: "--freeze \(freeze.rawValue)", alternative: "use --freeze none")
    }
    let opened = try model.open()
    let list = try dictionaries.open(for: opened).map(\.dictionary)
    guard let plan = try changes.plan(list, opened: opened) else { return }
    let writer = TokenWriter(tokenizer: opened.tokenizer.value)
    try TextRun(try input.required(), opened: opened).each { text in
      let selected = try positions.positions(in: text)
      let before = try LogitsReport(text, positions: selected, topK: topK, withLoss: true, opened: opened)
      let visitor = plan.visitor(recordsChanges: true)
      let after = try LogitsReport(
        text, positions: selected, topK: topK, withLoss: true, opened: opened, visitor: visitor)
      guard json || input.isMany else {
        return try show(before, after, visitor.records, text, writer)
      }
      try StandardOutput.line(
        .document(
          id: text.id,
          [
            ("tokens", writer.json(text)), ("before", .object(before.members(writer))),
            ("after", .object(after.members(writer))), ("changed", .array(visitor.records.map(Self.json))),
          ]))
    }
  }

  private static func json(_ record: InterventionRecord) -> JSONValue {
    [
      "intervention": .integer(record.index), "kind": .string(record.kind.rawValue), "site": .string("\(record.site)"),
      "position": .integer(record.position), "before": .optional(record.before), "after": .optional(record.after),
      "change": .float(record.change),
    ]
  }

  private func show(
    _ before: LogitsReport, _ after: LogitsReport, _ records: [InterventionRecord], _ text: TokenizedText,
    _ writer: TokenWriter
  ) throws {
    for position in before.positions {
      try StandardOutput.line(
        "after \(TextStyle.accent.apply(writer.visible(text.ids[position]))) (position \(position)):")
      var table = TextTable([.init(""), .init("before"), .init("", .right), .init("after"), .init("", .right)])
      let (old, new) = (before.predictions[position]?.top ?? [], after.predictions[position]?.top ?? [])
      for rank in 0..<min(old.count, new.count) {
        table.add([
          .init("\(rank + 1)", .dim), .init(writer.visible(old[rank].id)),
          .init(Format.percent(Double(exp(old[rank].logprob)))), .init(writer.visible(new[rank].id), .accent),
          .init(Format.percent(Double(exp(new[rank].logprob)))),
        ])
      }
      try table.write()
    }
    if let old = before.loss, let new = after.loss {
      try StandardOutput.line("loss \(Format.decimal(old, 4)) before, \(Format.decimal(new, 4)) after")
    }
    try StandardOutput.line(summary(records))
    var table = TextTable([
      .init("#", .right), .init("site"), .init("token"), .init("before", .right), .init("change", .right),
    ])
    for record in records.prefix(40) where record.position < text.count {
      table.add([
        .init("\(record.index)", .dim), .init("\(record.site)"),
        .init("\(record.position) \(writer.visible(text.ids[record.position]))", .accent),
        .init(Format.decimal(record.before.map(Double.init), 3)), .init(Format.decimal(Double(record.change), 3)),
      ])
    }
    if !records.isEmpty { try table.write() }
  }

  /// `12 activations changed, 5 rows replaced by their reconstruction (moved by 31.4 on average)`.
  private func summary(_ records: [InterventionRecord]) -> String {
    let moved = records.filter { $0.kind == .splice }.map { Double($0.change) }
    let changed = records.count - moved.count
    var parts = changed > 0 || moved.isEmpty ? [Format.count(changed, "activation") + " changed"] : []
    if !moved.isEmpty {
      let mean = moved.reduce(0, +) / Double(moved.count)
      parts.append(
        "\(Format.count(moved.count, "row")) replaced by reconstructions (moved by \(Format.short(mean)) on average)")
    }
    return parts.joined(separator: ", ")
  }
}
