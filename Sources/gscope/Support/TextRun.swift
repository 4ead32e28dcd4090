import Foundation
import Tensors

/// The texts of one command, tokenised one after another.
struct TextRun {
  let opened: OpenedModel
  private let reader: InputReader
  /// Texts already read, when their number and lengths are needed before the first one runs.
  private var collected: [TokenizedText]?

  init(_ source: TextOptions.Source, opened: OpenedModel) throws {
    self.opened = opened
    reader = try InputReader(source)
  }

  /// Reads and tokenises all texts now.
  mutating func collect() throws -> [TokenizedText] {
    if let collected { return collected }
    var texts: [TokenizedText] = []
    while let text = try next() { texts.append(text) }
    collected = texts
    return texts
  }

  /// Calls `body` for every text in order.
  func forEach(_ body: (TokenizedText) throws -> Void) throws {
    if let collected { return try collected.forEach(body) }
    while let text = try next() { try body(text) }
  }

  private func next() throws -> TokenizedText? {
    try reader.next().map {
      try TokenizedText($0, tokenizer: opened.tokenizer, vocabularySize: opened.configuration.vocabularySize)
    }
  }
}
