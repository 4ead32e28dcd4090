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
        try StandardOutput.line(.document(id: text.id, [("tokens", writer.json(text))]))
      } else {
        try show(text, writer)
      }
    }
  }

  private func show(_ text: TokenizedText, _ writer: TokenWriter) throws {
    var columns: [TextTable.Column] = [.init("#", .right), .init("id", .right), .init("piece"), .init("bytes")]
    if text.speakers != nil { columns += [.init("role"), .init("turn", .right)] }
    var table = TextTable(columns)
    for (i, id) in text.ids.enumerated() {
      let range = text.ranges?[i]
      var cells: [TextTable.Cell] = [
        .init("\(i)", .dim), .init("\(id)"), .init(writer.visible(id), .accent),
        .init(range.map { "\($0.lowerBound)-\($0.upperBound)" } ?? "", .dim),
      ]
      if let speaker = text.speakers?[i] { cells += [.init(speaker.role), .init("\(speaker.turn)")] }
      table.add(cells)
    }
    try table.write()
    try StandardOutput.line(Format.count(text.count, "token"))
  }
}
