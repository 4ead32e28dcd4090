import ArgumentParser
import Atlas
import Foundation

/// How much of an atlas is packed.
struct PackingFlags: ParsableArguments {
  @Option(help: ArgumentHelp("Top examples of a feature; all without it.", valueName: "n")) var top: Int?
  @Option(help: ArgumentHelp("Examples of each interval; all without it.", valueName: "n"))
  var perInterval: Int?
  @Option(help: ArgumentHelp("Raised and lowered tokens, each; all without it.", valueName: "n"))
  var logits: Int?
  @Option(help: ArgumentHelp("Co-active features; all without it.", valueName: "n")) var coactive: Int?
  @Option(help: ArgumentHelp("Windows of each half of the pool; all without it.", valueName: "n"))
  var pool: Int?
  @Option(
    help: ArgumentHelp("Buckets of sketches to an octave: 1, 2, 4, 8, 16, or 32 for all.", valueName: "n"))
  var bars: Int?
  @Flag(help: "Leave labels out.") var noLabels = false

  /// One of the flags that was used.
  var given: String? {
    [
      ("--top", top != nil), ("--per-interval", perInterval != nil), ("--logits", logits != nil),
      ("--coactive", coactive != nil), ("--pool", pool != nil), ("--bars", bars != nil), ("--no-labels", noLabels),
    ].first { $0.1 }?.0
  }

  private var options: PackedOptions {
    var options = PackedOptions(labels: !noLabels)
    if let top { options.top = top }
    if let perInterval { options.perInterval = perInterval }
    if let logits { options.logits = logits }
    if let coactive { options.coactive = coactive }
    if let pool { options.pool = pool }
    if let bars { options.bars = bars }
    return options
  }

  /// Writes a packed atlas, and says what takes the room.
  func pack(_ atlas: Atlas, to output: String, json: Bool) throws {
    let url = URL(filePath: output)
    let parts = try atlas.pack(to: url, options: options, check: Interruption.check)
    if json {
      let sizes = parts.map { part -> JSONValue in ["name": .string(part.part), "bytes": .integer(part.bytes)] }
      let members: [(key: String, value: JSONValue)] = [
        ("dictionaries", AtlasFileReport.dictionaries(atlas.dictionaries)), ("parts", .array(sizes)),
      ]
      return try AtlasFileReport(url: url, kind: "packed", members: members).write()
    }
    let largest = parts.sorted { $0.bytes > $1.bytes }.prefix(6)
    try StandardOutput.line(
      "\(Format.bytes(parts.reduce(0) { $0 + $1.bytes })) in \(output): "
        + largest.map { "\($0.part) \(Format.bytes($0.bytes))" }.joined(separator: ", "))
  }
}
