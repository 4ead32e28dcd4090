import Plots

/// A self-contained HTML page, put together piece by piece.
struct Page {
  let title: String
  private var body = ""

  init(title: String) { self.title = title }

  /// Adds markup as it is.
  mutating func add(_ markup: String) { body += markup + "\n" }

  mutating func heading(_ text: String, level: Int = 2) { add("<h\(level)>\(Markup.escaped(text))</h\(level)>") }

  mutating func paragraph(_ text: String) { add("<p>\(Markup.escaped(text))</p>") }

  mutating func plot(_ plot: Plot) { add("<figure>\(plot.svg)</figure>") }

  /// A table; the first column is text, the others are numbers.
  mutating func table(_ titles: [String], _ rows: [[String]]) {
    var out = "<div class=\"wide\"><table><thead><tr>"
    for title in titles { out += "<th>\(Markup.escaped(title))</th>" }
    out += "</tr></thead><tbody>\n"
    for row in rows {
      out += "<tr>" + row.map { "<td>\(Markup.escaped($0))</td>" }.joined() + "</tr>\n"
    }
    add(out + "</tbody></table></div>")
  }

  /// What is added inside lies under a line that opens it.
  mutating func details(_ summary: String, _ fill: (inout Page) -> Void) {
    var inner = Page(title: title)
    fill(&inner)
    add("<details><summary>\(Markup.escaped(summary))</summary>\n\(inner.body)</details>")
  }

  var html: String {
    """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>\(Markup.escaped(title))</title>
    <style>
    \(Self.style)
    </style>
    </head>
    <body>
    <h1>\(Markup.escaped(title))</h1>
    \(body)</body>
    </html>

    """
  }

  private static let style = """
    :root { color-scheme: light dark; --line: #d0d0d0; --soft: #f4f4f4; }
    @media (prefers-color-scheme: dark) { :root { --line: #444; --soft: #262626; } }
    body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
    h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; } h3 { font-size: 1rem; }
    .wide { overflow-x: auto; }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
    th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
    th:first-child, td:first-child { text-align: left; }
    td { white-space: nowrap; }
    thead th { background: var(--soft); font-weight: 600; }
    figure { display: inline-block; margin: .5rem .5rem .5rem 0; width: 36rem; max-width: 100%; }
    svg { width: 100%; height: auto; border: 1px solid var(--line); border-radius: 4px; }
    details { border: 1px solid var(--line); border-radius: 4px; padding: .3rem .8rem; margin: .4rem 0; }
    summary { cursor: pointer; font-weight: 600; }
    """
}
