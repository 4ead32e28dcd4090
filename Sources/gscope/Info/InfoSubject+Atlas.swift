import Atlas

extension InfoSubject {
  static func facts(_ atlas: Atlas) throws -> [Fact] {
    let summary = try atlas.summary()
    let model = try atlas.meta("model_name")
    let state = AtlasReport.isComplete(atlas) ? "complete" : "building"
    let planned = try atlas.meta("tokens_planned").flatMap { Int($0) }
    let tokens = summary.tokens.map { Format.grouped($0) } ?? "-"
    return [
      .string("state", "state", state), Fact("model", "model", .optional(model), model ?? "-"),
      Fact(
        "dictionaries", "dictionaries", .array(atlas.dictionaries.map(AtlasReport.json)),
        Format.grouped(atlas.dictionaries.count)),
      Fact(
        "tokens", "tokens", .optional(summary.tokens),
        planned.map { state == "building" ? "\(tokens) of \(Format.grouped($0))" : tokens } ?? tokens),
      .count("features", "features", summary.features), .count("live", "ever on", summary.live),
      .count("labels", "labels", summary.labels), .count("labelled", "features with a label", summary.labelled),
      .count("labels_tested", "labels tested in detection", summary.tested),
      Fact(
        "mean_label_score", "their mean accuracy", .optional(summary.meanScore), Format.decimal(summary.meanScore, 3)),
      .bytes("bytes", "file", summary.bytes),
    ]
  }
}
