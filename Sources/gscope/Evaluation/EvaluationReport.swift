import Dictionaries
import Evaluation
import Sites

/// What `gscope evaluate` found, to be shown or written.
struct EvaluationReport {
  let modelName: String
  /// The paths of the texts.
  let corpus: [String]
  let context: Int
  let normFilter: Double
  let dictionaries: [SparseDictionary]
  let result: EvaluationResult
  /// Tasks that have ended, and those asked for that have not.
  var tasks: [TaskReport] = []
  var unfinished: [EvaluationTask]

  /// One dictionary with its figures.
  struct Item {
    let dictionary: SparseDictionary
    let part: EvaluationResult.Part

    var name: String { dictionary.name }
    var shape: DictionaryShape { dictionary.shape }

    /// What to say of splicing in one line: its only site, or all it writes at once.
    var splice: SpliceFigures? { part.wholeSplice ?? part.splices.first }
  }

  var items: [Item] { zip(dictionaries, result.parts).map { Item(dictionary: $0, part: $1) } }

  /// Takes in what a task found.
  mutating func add(_ task: TaskReport) {
    tasks.append(task)
    unfinished.removeAll { $0 == task.task }
  }

  /// Where several dictionaries of the set write one site, which of them is left there.
  var sharedWrites: String? { Self.describe(result.sharedWrites) }

  static func describe(_ shared: [SharedWrite]) -> String? {
    guard !shared.isEmpty else { return nil }
    let sites = shared.map { "\($0.site) (\($0.dictionaries.joined(separator: ", ")))" }
    return
      "Several dictionaries of the set write the same site, each in the place of what the ones before it made; the "
      + "last one named is what the model goes on with: " + sites.joined(separator: "; ")
  }

  /// Prints the figures, without tasks.
  func show() throws {
    try StandardOutput.line(
      "\(Format.count(result.parts.first?.reconstruction.tokens ?? 0, "token")) in "
        + "\(Format.count(result.sequences, "sequence")), special ones left out"
        + (result.loss.value.map { loss in
          "; losses over \(Format.count(result.lossTokens, "token")), the model's own is "
            + "\(Format.decimal(loss, 4)) nats a token"
        } ?? ""))
    var table = TextTable([
      .init("dictionary", isName: true), .init("L0", .right), .init("FVU", .right), .init("without sinks", .right),
      .init("dead", .right), .init("delta loss", .right), .init("±", .right), .init("KL", .right),
      .init("recovered", .right), .init("mean-ablated", .right),
    ])
    for item in items {
      let part = item.part
      table.add(
        [
          .init(item.name, .accent), .init(Format.decimal(part.reconstruction.l0.value, 1)),
          .init(Format.percent(part.reconstruction.total.fvu.value)),
          .init(Format.percent(part.withoutOutliers?.total.fvu.value)), .init(Format.percent(part.density.deadShare)),
        ] + Self.cells(item.splice))
      guard part.splices.count > 1 else { continue }
      for (site, splice) in zip(part.reconstruction.sites, part.splices) {
        let row: [TextTable.Cell] = [
          .init("  \(site.site)"), "", .init(Format.percent(site.figures.fvu.value)), "", "",
        ]
        table.add(row + Self.cells(splice))
      }
    }
    if let set = result.set {
      let row: [TextTable.Cell] = [.init("all at once", .bold), "", "", "", ""]
      table.add(row + Self.cells(set))
    }
    try table.write()
  }

  private static func cells(_ splice: SpliceFigures?) -> [TextTable.Cell] {
    guard let splice else { return ["-", "-", "-", "-", "-"] }
    let recovered = splice.recovered.first { $0.baseline == .mean }
    return [
      .init(Format.signed(splice.deltaLoss.value, 3)), .init(Format.decimal(splice.deltaLoss.halfWidth, 3)),
      .init(Format.decimal(splice.divergence.value, 3)), .init(Format.percent(recovered?.value.value)),
      .init(Format.signed(recovered?.baselineDeltaLoss.value, 3)),
    ]
  }
}

extension Estimate {
  /// Half of the interval's length.
  var halfWidth: Double? {
    guard let low, let high else { return nil }
    return (high - low) / 2
  }
}
