/// Rows of cells in aligned columns, for people.
struct TextTable {
  enum Alignment { case left, right }

  struct Column {
    let title: String
    let alignment: Alignment

    init(_ title: String, _ alignment: Alignment = .left) {
      self.title = title
      self.alignment = alignment
    }
  }

  struct Cell: ExpressibleByStringLiteral {
    let text: String
    let style: TextStyle

    init(_ text: String, _ style: TextStyle = .plain) {
      self.text = text
      self.style = style
    }

    init(stringLiteral text: String) { self.init(text) }
  }

  let columns: [Column]
  private var rows: [[Cell]] = []

  init(_ columns: [Column]) { self.columns = columns }

  mutating func add(_ cells: [Cell]) { rows.append(cells) }

  /// The table's lines. On a terminal no line is longer than `width`: columns that do not fit are cut, then left out.
  func lines(width limit: Int?) -> [String] {
    let hasTitles = columns.contains { !$0.title.isEmpty }
    var widths = columns.indices.map { i in
      rows.reduce(VisibleText.width(columns[i].title)) { max($0, i < $1.count ? VisibleText.width($1[i].text) : 0) }
    }
    if let limit { Self.fit(&widths, to: limit) }
    let titles = columns.map { Cell($0.title, .bold) }
    return ((hasTitles ? [titles] : []) + rows).map { line($0, widths) }
  }

  func write() throws { try StandardOutput.write(lines(width: Terminal.width).map { $0 + "\n" }.joined()) }

  private func line(_ cells: [Cell], _ widths: [Int]) -> String {
    var out = ""
    var pending = ""
    for (i, cell) in cells.enumerated() where i < widths.count && widths[i] > 0 {
      let text = VisibleText.clipped(cell.text, to: widths[i])
      let space = String(repeating: " ", count: widths[i] - VisibleText.width(text))
      let isRight = columns[i].alignment == .right
      // Spaces after the last text of a line are not written.
      if !text.isEmpty {
        out += pending + (isRight ? space : "") + cell.style.apply(text)
        pending = ""
      }
      pending += (isRight && !text.isEmpty ? "" : space) + "  "
    }
    return out
  }

  /// Takes columns from the widest ones until the line fits, and drops the last ones where that is not enough.
  private static func fit(_ widths: inout [Int], to limit: Int) {
    func total() -> Int { widths.reduce(0) { $0 + ($1 > 0 ? $1 + 2 : 0) } - 2 }
    while total() > limit {
      guard let widest = widths.indices.max(by: { widths[$0] < widths[$1] }) else { return }
      if widths[widest] > 8 {
        widths[widest] -= 1
      } else {
        guard let last = widths.lastIndex(where: { $0 > 0 }), last > 0 else { return }
        widths[last] = 0
      }
    }
  }
}
