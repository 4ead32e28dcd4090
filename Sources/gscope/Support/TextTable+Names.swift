/// Tables whose rows are named: on a narrow terminal titles take several lines, names are shortened together, and the last
/// columns are left out, so that rows can be told apart and titles read.
extension TextTable {
  /// What a table shows when it does not fit.
  struct Fitted {
    /// Lines of the titles.
    let titles: [[String]]
    let widths: [Int]
    /// Names by what they are shortened to.
    let names: [String: String]
    /// Titles of the columns left out.
    let leftOut: [String]
  }

  /// - Parameters:
  ///   - name: the column of names.
  ///   - natural: what columns take without titles.
  func fitted(to limit: Int, name: Int, natural: [Int], names: [String]) -> Fitted {
    let wrapped = columns.enumerated().map { i, column in
      i == name ? [column.title] : Self.wrapped(column.title, to: natural[i])
    }
    var widths = columns.indices.map { i in wrapped[i].reduce(natural[i]) { max($0, VisibleText.width($1)) } }
    let distinct = DistinctNames(names)
    let whole = widths[name]
    widths[name] = min(whole, max(distinct.leastWidth, VisibleText.width(columns[name].title)), limit)
    func room() -> Int { limit - (widths.reduce(0) { $0 + ($1 > 0 ? $1 + 2 : 0) } - 2) }
    var leftOut: [String] = []
    while room() < 0, let last = widths.indices.last(where: { widths[$0] > 0 && $0 != name }) {
      widths[last] = 0
      leftOut.insert(columns[last].title, at: 0)
    }
    widths[name] = min(whole, widths[name] + max(room(), 0))
    let height = zip(wrapped, widths).map { $1 > 0 ? $0.count : 0 }.max() ?? 0
    // Titles stand on the line above the first row, their beginnings above that.
    let titles = (0..<height).map { line in
      wrapped.map { lines in
        let place = line - (height - lines.count)
        return place >= 0 ? lines[place] : ""
      }
    }
    return Fitted(titles: titles, widths: widths, names: distinct.shortened(to: widths[name]), leftOut: leftOut)
  }

  /// A title in lines of at most `width` columns, where no word is longer.
  private static func wrapped(_ title: String, to width: Int) -> [String] {
    let words = title.split(separator: " ").flatMap { word -> [String] in
      // `mean-ablated` may break behind its hyphen.
      let parts = word.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
      return parts.enumerated().map { $0.offset < parts.count - 1 ? $0.element + "-" : $0.element }
    }
    let width = words.reduce(width) { max($0, VisibleText.width($1)) }
    var lines: [String] = []
    for word in words {
      guard let last = lines.last else {
        lines.append(word)
        continue
      }
      let joined = last.hasSuffix("-") ? last + word : last + " " + word
      if VisibleText.width(joined) <= width { lines[lines.count - 1] = joined } else { lines.append(word) }
    }
    return lines.isEmpty ? [""] : lines
  }
}
