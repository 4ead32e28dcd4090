import Evaluation

/// What a benchmark task found: tables for people, JSON for programs.
struct TaskReport {
  struct Table {
    let titles: [String]
    let rows: [[String]]
    /// Shown on the page alone.
    var isDetail = false
  }

  let task: EvaluationTask
  let title: String
  /// What the numbers mean, and when they mean little.
  let notes: [String]
  let tables: [Table]
  let json: JSONValue

  func show() throws {
    try StandardOutput.line("\n" + TextStyle.bold.apply(title))
    for note in notes { try StandardOutput.line(note) }
    for table in tables where !table.rows.isEmpty && !table.isDetail {
      var text = TextTable(table.titles.enumerated().map { .init($1, $0 == 0 ? .left : .right, isName: $0 == 0) })
      for row in table.rows { text.add(row.enumerated().map { .init($1, $0 == 0 ? .accent : .plain) }) }
      try text.write()
    }
  }

  func add(to page: inout Page) {
    page.heading(title)
    for note in notes { page.paragraph(note) }
    for table in tables where !table.rows.isEmpty { page.table(table.titles, table.rows) }
  }
}

extension Format {
  /// A figure with half of its interval, `0.812 ± 0.015`.
  static func estimate(_ estimate: Estimate?, _ digits: Int = 3) -> String {
    guard let estimate, estimate.value != nil else { return "-" }
    let value = decimal(estimate.value, digits)
    return estimate.halfWidth.map { "\(value) ± \(decimal($0, digits))" } ?? value
  }
}
