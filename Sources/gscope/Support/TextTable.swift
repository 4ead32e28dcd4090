/// Rows of cells in aligned columns, for people.
struct TextTable {
  enum Alignment { case left, right }

  struct Column {
    let title: String
    let alignment: Alignment
    /// Whether its texts name the rows: they must stay different when they are shortened.
    let isName: Bool

    init(_ title: String, _ alignment: Alignment = .left, isName: Bool = false) {
      self.title = title
      self.alignment = alignment
      self.isName = isName
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

  /// The table's lines. On a terminal no line is longer than `width`: columns that do not fit are cut, then left out;
  /// where a column names the rows, as `TextTable+Names` tells.
  func lines(width limit: Int?) -> [String] {
    let hasTitles = columns.contains { !$0.title.isEmpty }
    let natural = columns.indices.map { i in
      rows.reduce(0) { max($0, i < $1.count ? VisibleText.width($1[i].text) : 0) }
    }
    var widths = columns.indices.map { max(natural[$0], VisibleText.width(columns[$0].title)) }
    if let limit, let name = columns.firstIndex(where: \.isName), widths.reduce(-2, { $0 + $1 + 2 }) > limit {
      let fitted = fitted(
        to: limit, name: name, natural: natural, names: rows.compactMap { $0.dropFirst(name).first?.text })
      let titles = fitted.titles.map { $0.map { Cell($0, .bold) } }
      let shortened = rows.map { row in
        row.enumerated().map { i, cell in
          i == name ? Cell(fitted.names[cell.text] ?? cell.text, cell.style) : cell
        }
      }
      let note = fitted.leftOut.isEmpty ? [] : ["no room for: " + fitted.leftOut.joined(separator: ", ")]
      return (titles + shortened).map { line($0, fitted.widths) }
        + note.map { TextStyle.dim.apply(VisibleText.clipped($0, to: limit)) }
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
