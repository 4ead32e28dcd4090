import ArgumentParser
import Tokenization

/// `gscope tokenize`
struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Show how a text is cut into tokens.",
    discussion: "Example: gscope tokenize --text \"Hello, world\" --json")

  @OptionGroup var model: ModelOptions
  @OptionGroup var input: TextOptions
  @Flag(help: "Write JSON.") var json = false

  func validate() throws { _ = try input.required() }

  func run() throws {
    let tokenizer = LoadedTokenizer(try model.locate())
    let writer = TokenWriter(tokenizer: try tokenizer.required())
    let reader = try InputReader(try input.required())
    while let next = try reader.next() {
      let text = try TokenizedText(next, tokenizer: tokenizer, vocabularySize: nil)
      if json || input.isMany {
        try writer.write(text)
      } else {
        try show(text, writer)
      }
    }
  }

  private func show(_ text: TokenizedText, _ writer: TokenWriter) throws {
    var columns: [TextTable.Column] = [.init("#", .right), .init("id", .right), .init("piece"), .init("bytes")]
    if text.speakers != nil { columns += [.init("role"), .init("turn", .right)] }
    // Long texts come in several tables, each with columns of its own widths, so that they need not be held as cells.
    for start in stride(from: 0, to: text.count, by: TokenWriter.tokensPerWrite) {
      var table = TextTable(start == 0 ? columns : columns.map { .init("", $0.alignment) })
      for i in start..<min(start + TokenWriter.tokensPerWrite, text.count) {
        table.add(cells(text, i, writer))
      }
      try table.write()
      try Interruption.check()
    }
    try StandardOutput.line(Format.count(text.count, "token"))
  }

  private func cells(_ text: TokenizedText, _ i: Int, _ writer: TokenWriter) -> [TextTable.Cell] {
    let range = text.ranges?[i]
    let cells: [TextTable.Cell] = [
      .init("\(i)", .dim), .init("\(text.ids[i])"), .init(writer.visible(text.ids[i]), .accent),
      .init(range.map { "\($0.lowerBound)-\($0.upperBound)" } ?? "", .dim),
    ]
    guard let speaker = text.speakers?[i] else { return cells }
    return cells + [.init(speaker.role), .init("\(speaker.turn)")]
  }
}
