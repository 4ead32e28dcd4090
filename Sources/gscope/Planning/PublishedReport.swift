import Training

/// The published grid as text and JSON.
struct PublishedReport {
  let published: PublishedPlan
  let machine: PlannedMachine

  func write() throws {
    var table = TextTable([
      .init("model"), .init("dictionaries", .right), .init("parameters", .right), .init("trained", .right),
      .init("files", .right), .init("activations", .right), .init("model's pass", .right), .init("training", .right),
      .init("dense", .right),
    ])
    for row in published.rows {
      let hours = row.plan.hours
      table.add([
        .init("\(row.model.name) × \(PublishedGrid.variants)", .accent),
        .init("\(row.dictionaries * PublishedGrid.variants)"),
        .init(Format.grouped(row.storedParameters * PublishedGrid.variants)),
        .init(Format.grouped(row.trainedParameters * PublishedGrid.variants)),
        .init(Format.bytes(row.plan.fileBytes * PublishedGrid.variants)),
        .init(PlanReport.bytes(row.activationBytes) + " a token"), .init(PlanReport.time(hours.model * 2)),
        .init(PlanReport.time(hours.training * 2)), .init(PlanReport.time((hours.dense - hours.model) * 2)),
      ])
    }
    try table.write()
    try StandardOutput.line("")
    try totals().write()
  }

  private func totals() -> TextTable {
    var table = TextTable([.init(""), .init("", .right), .init("")])
    func add(_ name: String, _ value: String, _ note: String) {
      table.add([.init(name), .init(value, .bold), .init(note, .dim)])
    }
    add("dictionaries", Format.grouped(published.dictionaries), "pretrained and instruction-tuned")
    add(
      "parameters", TokenCount.text(Double(published.storedParameters)),
      "\(Format.grouped(published.storedParameters)); announced: over \(TokenCount.text(PublishedGrid.announcedParameters))"
    )
    for implied in implied {
      add(
        "tokens in 110 PB", TokenCount.text(implied.tokens),
        "each model, \(implied.format), every site of every layer stored once, \(implied.variants == 1 ? "pretrained only" : "both variants")"
      )
    }
    add("machine", "", PlanReport.describe(machine))
    return table
  }

  private var implied: [(format: String, variants: Int, tokens: Double)] {
    [("fp32", 4.0), ("bf16", 2.0)].flatMap { format, bytes in
      [1, 2].map { (format, $0, published.impliedTokens(bytes: bytes, variants: $0)) }
    }
  }

  var document: JSONValue {
    .document([
      ("machine", PlanReport.json(machine)), ("dictionaries", .integer(published.dictionaries)),
      ("parameters", .integer(published.storedParameters)),
      ("trained_parameters", .integer(published.trainedParameters)),
      ("announced_bytes", .double(PublishedGrid.announcedBytes)),
      (
        "implied_tokens",
        .array(
          implied.map {
            ["format": .string($0.format), "variants": .integer($0.variants), "tokens": .double($0.tokens)]
          })
      ),
      (
        "models",
        .array(
          published.rows.map { row in
            .object(
              [
                ("variants", .integer(PublishedGrid.variants)),
                ("activation_bytes_per_token", .double(row.activationBytes)),
              ]
                + PlanReport(plan: row.plan).members)
          })
      ),
    ])
  }
}
