import Foundation
import Gemma
import Sites
import Tensors

/// The next-token predictions of one text.
struct LogitsReport {
  let text: TokenizedText
  let positions: [Int]
  /// By row.
  let predictions: [Int: Prediction]
  /// Mean negative log probability, in nats, of the text's tokens but the first; nil for a single token, or when not
  /// asked for.
  let loss: Double?

  /// Runs the model over `text`.
  /// - Parameters:
  ///   - withLoss: whether the loss is wanted, which takes the logits of every token, reported or not.
  ///   - visitor: changes activations on the way.
  ///   - keep: gets the logits of every reported position in order, [1, vocabulary].
  init(
    _ text: TokenizedText, positions: [Int], topK: Int, withLoss: Bool, opened: OpenedModel,
    visitor: (any SiteVisitor)? = nil, keep: ((Tensor) throws -> Void)? = nil
  ) throws {
    self.text = text
    self.positions = positions
    let progress = Progress("logits", total: text.count, unit: "tokens")
    let reported = Set(positions)
    // The probability of a token is read from the row before it.
    func following(_ row: Int) -> Int32? {
      row + 1 < text.count && (withLoss || reported.contains(row + 1)) ? text.ids[row + 1] : nil
    }
    let reader = PredictionReader(model: opened.model, topK: topK)
    var predictions: [Int: Prediction] = [:]
    try TextPass(ids: text.ids, opened: opened, progress: progress).run(logits: .residual, visitor: visitor) {
      result, range in
      guard let residual = result.residual else { throw GemmaError.input("the model gave no residual stream") }
      let rows = range.filter { reported.contains($0) || following($0) != nil }
      let read = try reader.read(
        residual, rows: rows.map { $0 - range.lowerBound }, following: rows.map(following),
        wantsTop: { reported.contains(rows[$0]) }, progress: progress
      ) { first, logits in
        guard let keep else { return }
        for i in 0..<logits.rows where reported.contains(rows[first + i]) { try keep(logits.rows(i..<i + 1)) }
      }
      for (row, prediction) in zip(rows, read) { predictions[row] = prediction }
    }
    self.predictions = predictions
    let known = text.ids.indices.compactMap { predictions[$0]?.following }
    loss = withLoss && !known.isEmpty ? -known.reduce(0) { $0 + Double($1) } / Double(known.count) : nil
  }

  /// Of the token at `position` given those before it; nil at 0.
  private func logprob(_ position: Int) -> Float? { position > 0 ? predictions[position - 1]?.following : nil }

  func json(_ opened: OpenedModel) -> JSONValue {
    let writer = TokenWriter(tokenizer: opened.tokenizer.value)
    return .document(id: text.id, [("tokens", writer.json(text))] + members(writer))
  }

  /// `"loss"` and `"positions"`.
  func members(_ writer: TokenWriter) -> [(key: String, value: JSONValue)] {
    [
      ("loss", .optional(loss)),
      (
        "positions",
        .array(
          positions.map { position in
            [
              "position": .integer(position), "logprob": .optional(logprob(position)),
              "top": predictions[position]?.json(writer) ?? [],
            ]
          })
      ),
    ]
  }

  func show(_ opened: OpenedModel) throws {
    let writer = TokenWriter(tokenizer: opened.tokenizer.value)
    if positions.count == 1, let position = positions.first, let prediction = predictions[position] {
      try StandardOutput.line(
        "after \(TextStyle.accent.apply(writer.visible(text.ids[position]))) (position \(position)):")
      var table = TextTable([.init(""), .init("next"), .init("probability", .right), .init("logprob", .right)])
      for (rank, next) in prediction.top.enumerated() {
        table.add([
          .init("\(rank + 1)", .dim), .init(writer.visible(next.id), .accent),
          .init(Format.percent(Double(exp(next.logprob)))), .init(Format.decimal(Double(next.logprob), 3)),
        ])
      }
      try table.write()
    } else {
      try showAll(writer)
    }
    if let loss {
      try StandardOutput.line("loss \(Format.decimal(loss, 4)) nats a token, perplexity \(Format.short(exp(loss)))")
    }
  }

  private func showAll(_ writer: TokenWriter) throws {
    var table = TextTable([.init("#", .right), .init("token"), .init("logprob", .right), .init("likeliest next")])
    for position in positions {
      let next = (predictions[position]?.top ?? []).map {
        "\(writer.visible($0.id)) \(Format.percent(Double(exp($0.logprob))))"
      }
      table.add([
        .init("\(position)", .dim), .init(writer.visible(text.ids[position]), .accent),
        .init(Format.decimal(logprob(position).map(Double.init), 3)), .init(next.joined(separator: "  ")),
      ])
    }
    try table.write()
  }
}
