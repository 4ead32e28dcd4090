import ArgumentParser
import Checkpoints
import Foundation
import Gemma
import Tensors

/// `gscope logits`
struct LogitsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logits", abstract: "Show what the model expects after every token, and how likely the text is.",
    discussion: "Example: gscope logits --text \"The capital of France is\" --positions last --top-k 5")

  @OptionGroup var model: ModelOptions
  @OptionGroup var input: TextOptions

  @Option(help: ArgumentHelp("How many of the likeliest next tokens to show.", valueName: "k"))
  var topK = 10

  @Option(help: ArgumentHelp("Positions to report: all, last, or a list such as 3,4.", valueName: "positions"))
  var positions = PositionSelection.all

  @Option(help: ArgumentHelp("Write the logits to a safetensors file.", valueName: "file"), completion: .file())
  var save: String?

  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    _ = try input.required()
    if topK < 0 { throw ValidationError("--top-k is \(topK); expected a number from 0.") }
    try SavePath.validate(save)
  }

  func run() throws {
    try save.map(SavePath.check)
    let opened = try model.open()
    var run = try TextRun(try input.required(), opened: opened)
    let file = try save.map {
      try makeFile($0, texts: try run.collect(), vocabulary: opened.configuration.vocabularySize)
    }
    var reports: [LogitsReport] = []
    try run.each { text in
      let selected = try positions.positions(in: text)
      // For people, a single position is a question about what follows it.
      let withLoss = json || input.isMany || selected.count > 1
      let report = try LogitsReport(
        text, positions: selected, topK: topK, withLoss: withLoss, opened: opened,
        keep: file.map { file in { try file.append($0, to: "logits") } })
      if input.isMany { try StandardOutput.line(report.json(opened)) } else { reports.append(report) }
    }
    try file?.finish()
    for report in reports {
      if json { try StandardOutput.line(report.json(opened)) } else { try report.show(opened) }
    }
    if let save, !json, !input.isMany { try StandardOutput.line("saved to \(save)") }
  }

  /// Rows of logits are saved for the reported positions: `positions` names them within each text.
  private func makeFile(_ path: String, texts: [TokenizedText], vocabulary: Int) throws -> ArrayFile {
    let selected = try texts.map { try positions.positions(in: $0) }
    let rows = selected.reduce(0) { $0 + $1.count }
    var entries: [SafetensorsWriter.Entry] = [
      .init("logits", shape: [rows, vocabulary], dtype: .f32), .init("positions", shape: [rows], dtype: .i32),
    ]
    if input.isMany { entries.append(.init("row_offsets", shape: [texts.count + 1], dtype: .i64)) }
    let file = try ArrayFile(path, texts: texts, isMany: input.isMany, entries: entries)
    try file.append(selected.flatMap { $0.map { Int32($0) } }, to: "positions")
    if input.isMany { try file.append(ArrayFile.offsets(selected.map(\.count)), to: "row_offsets") }
    return file
  }
}
