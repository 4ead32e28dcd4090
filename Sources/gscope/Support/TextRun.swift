import Foundation
import Gemma
import Tensors
import Tokenization

/// The texts of one command, tokenised one after another.
struct TextRun {
  let opened: OpenedModel
  private let reader: InputReader
  /// Texts already read, when their number and lengths are needed before the first one runs.
  private var collected: [TokenizedText]?

  /// Whether the model is to answer: a conversation that ends with the user gets a model turn opened.
  private let expectsAnswer: Bool

  init(_ source: TextOptions.Source, opened: OpenedModel, expectsAnswer: Bool = false) throws {
    self.opened = opened
    self.expectsAnswer = expectsAnswer
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
  func each(_ body: (TokenizedText) throws -> Void) throws {
    if let collected { return try collected.forEach(body) }
    while let text = try next() { try body(text) }
  }

  private func next() throws -> TokenizedText? {
    guard var input = try reader.next() else { return nil }
    if expectsAnswer, case .chat(var conversation) = input.content, conversation.messages.last?.role == .user {
      conversation.addGenerationPrompt = true
      input = InputText(id: input.id, source: input.source, content: .chat(conversation))
    }
    return try TokenizedText(
      input, tokenizer: opened.tokenizer, vocabularySize: opened.configuration.vocabularySize)
  }
}
