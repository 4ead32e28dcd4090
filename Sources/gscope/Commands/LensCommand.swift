import ArgumentParser
import Foundation
import Gemma
import Sites
import Tensors

/// `gscope lens`
struct LensCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lens", abstract: "Show the next-token predictions of every layer.",
    discussion: """
      The residual stream after each layer is read as if it were the last: final norm, then the unembedding (the logit \
      lens).

      Example: gscope lens --text "The Eiffel Tower stands in the city of" --top-k 4
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var input: TextOptions

  @Option(help: ArgumentHelp("How many of the likeliest next tokens to show.", valueName: "k"))
  var topK = 5

  @Option(help: ArgumentHelp("Positions to read: last, all, or a list such as 3,4.", valueName: "positions"))
  var positions = PositionSelection.last

  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    _ = try input.required()
    if topK < 1 { throw ValidationError("--top-k is \(topK); expected a number from 1.") }
  }

  func run() throws {
    let opened = try model.open()
    try TextRun(try input.required(), opened: opened).each { text in
      let selected = try positions.positions(in: text)
      let layers = try read(text, selected, opened)
      if json || input.isMany {
        try StandardOutput.line(document(text, selected, layers, opened))
      } else {
        try show(text, selected, layers, opened)
      }
    }
  }

  /// For every layer the predictions at `selected`.
  private func read(_ text: TokenizedText, _ selected: [Int], _ opened: OpenedModel) throws -> [[Prediction]] {
    // What follows the last position has no part in it.
    let ids = Array(text.ids.prefix((selected.last ?? -1) + 1))
    let progress = Progress("lens", total: ids.count, unit: "tokens")
    let keeper = RowKeeper(positions: selected, backend: opened.backend)
    let reader = PredictionReader(model: opened.model, topK: topK)
    var layers = [[Prediction]](repeating: [], count: opened.configuration.layers)
    try TextPass(ids: ids, opened: opened, progress: progress).run(visitor: keeper) { _, _ in
      let kept = keeper.take()
      guard let count = kept.first?.rows else { return }
      // The rows of all layers go through the unembedding together: its weights are most of what has to be read.
      let rows = try opened.backend.concatenate(kept)
      let predictions = try reader.read(
        rows, rows: Array(0..<rows.rows), following: [Int32?](repeating: nil, count: rows.rows), progress: progress)
      for layer in layers.indices { layers[layer] += predictions[layer * count..<(layer + 1) * count] }
    }
    return layers
  }

  private func document(
    _ text: TokenizedText, _ selected: [Int], _ layers: [[Prediction]], _ opened: OpenedModel
  ) -> JSONValue {
    let writer = TokenWriter(tokenizer: opened.tokenizer.value)
    let list = layers.enumerated().map { layer, predictions -> JSONValue in
      [
        "layer": .integer(layer), "site": .string(Site.residPost(layer).description),
        "positions": .array(
          zip(selected, predictions).map { position, prediction in
            ["position": .integer(position), "top": prediction.json(writer)]
          }),
      ]
    }
    return .document(id: text.id, [("tokens", writer.json(text)), ("layers", .array(list))])
  }

  private func show(
    _ text: TokenizedText, _ selected: [Int], _ layers: [[Prediction]], _ opened: OpenedModel
  ) throws {
    let writer = TokenWriter(tokenizer: opened.tokenizer.value)
    func cell(_ next: (id: Int32, logprob: Float)) -> TextTable.Cell {
      let probability = Double(exp(next.logprob))
      return .init(
        "\(writer.visible(next.id)) \(Format.decimal(probability, 2))",
        probability >= 0.5 ? .good : probability >= 0.1 ? .accent : .plain)
    }
    if selected.count == 1 {
      let position = selected[0]
      try StandardOutput.line(
        "after \(TextStyle.accent.apply(writer.visible(text.ids[position]))) (position \(position)):")
      let columns = layers.map { $0.first?.top.count ?? 0 }.max() ?? 0
      var table = TextTable([.init("layer", .right)] + (0..<columns).map { .init("\($0 + 1)") })
      for (layer, predictions) in layers.enumerated() {
        table.add([.init("\(layer)", .dim)] + (predictions.first?.top ?? []).map(cell))
      }
      return try table.write()
    }
    var table = TextTable(
      [.init("layer", .right)] + selected.map { .init("\($0) \(writer.visible(text.ids[$0]))") })
    for (layer, predictions) in layers.enumerated() {
      table.add([.init("\(layer)", .dim)] + predictions.map { $0.top.first.map(cell) ?? "" })
    }
    try table.write()
  }
}
