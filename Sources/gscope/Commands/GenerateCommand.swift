import ArgumentParser
import Foundation
import Gemma
import Tokenization

/// `gscope generate`
struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continue a text, or answer a conversation.",
    discussion: """
      The continuation is written as it comes. Conversations end at <end_of_turn>.

      Example: gscope generate --text "Once upon a time" --max-tokens 40 --temperature 0.8 --seed 7
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var dictionaries: DictionaryOptions
  @OptionGroup var changes: InterventionOptions
  @OptionGroup var input: TextOptions

  @Option(help: ArgumentHelp("Produce at most so many tokens.", valueName: "n"))
  var maxTokens = 64

  @Option(
    help: ArgumentHelp("0 always takes the likeliest token; 1 follows the model's probabilities.", valueName: "t"))
  var temperature = 0.0

  @Option(help: ArgumentHelp("Choose among the k likeliest tokens; 0 for all.", valueName: "k"))
  var topK = 0

  @Option(
    help: ArgumentHelp("Choose among the fewest tokens that make up this share of the probability.", valueName: "p"))
  var topP = 1.0

  @Option(help: ArgumentHelp("The same seed gives the same text.", valueName: "seed"))
  var seed: UInt64 = 0

  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    _ = try input.required()
    if maxTokens < 1 { throw ValidationError("--max-tokens is \(maxTokens); expected a number from 1.") }
    if !(temperature >= 0 && temperature.isFinite) {
      throw ValidationError("--temperature is \(temperature); expected a number from 0.")
    }
    if topK < 0 { throw ValidationError("--top-k is \(topK); expected a number from 0.") }
    if !(topP > 0 && topP <= 1) { throw ValidationError("--top-p is \(topP); expected a number above 0, up to 1.") }
  }

  func run() throws {
    let opened = try model.open()
    let plan = try changes.plan(try dictionaries.open(for: opened).map(\.dictionary), opened: opened)
    try TextRun(try input.required(), opened: opened, expectsAnswer: true).each { text in
      let isStreamed = !json && !input.isMany
      let generation = try generate(text, opened, plan, isStreamed: isStreamed)
      if !isStreamed { try StandardOutput.line(try document(text, generation, opened)) }
    }
  }

  private func generate(
    _ text: TokenizedText, _ opened: OpenedModel, _ plan: InterventionPlan?, isStreamed: Bool
  ) throws -> Generation {
    var options = GenerationOptions(
      maximumTokens: maxTokens, sampling: Sampling(temperature: temperature, topK: topK, topP: topP, seed: seed))
    if text.speakers != nil, let end = opened.tokenizer.value?.endOfTurn { options.stopTokens.insert(end) }
    let tokenizer = opened.tokenizer.value
    var decoder = tokenizer.map { StreamingDecoder($0) }
    // What the prompt said is repeated only for somebody who watches; a pipe gets the continuation alone.
    if isStreamed, Terminal.isOutput, text.speakers == nil, let tokenizer {
      let prompt = try tokenizer.decode(text.ids.filter { Int($0) < tokenizer.vocabularySize }, skipSpecials: true)
      try StandardOutput.write(TextStyle.dim.apply(VisibleText.streamed(prompt)))
    }
    let progress = Progress("generate", total: isStreamed ? 0 : maxTokens, unit: "tokens")
    let generation = try opened.model.generate(
      text.ids, options: options, interventions: plan, check: { try progress.advance(by: 0) },
      onToken: { token in
        try progress.advance(by: 1)
        guard isStreamed else { return }
        let isKnown = Int(token) < tokenizer?.vocabularySize ?? 0
        try write(isKnown ? try decoder?.append(token) ?? "" : "\(token) ")
      })
    if isStreamed { try write((decoder?.finish() ?? "") + "\n") }
    return generation
  }

  private func write(_ text: String) throws {
    guard !text.isEmpty else { return }
    try StandardOutput.write(Terminal.isOutput ? VisibleText.streamed(text) : text)
  }

  private func document(_ text: TokenizedText, _ generation: Generation, _ opened: OpenedModel) throws -> JSONValue {
    let writer = TokenWriter(tokenizer: opened.tokenizer.value)
    let known = opened.tokenizer.value.map { tokenizer in
      generation.tokens.filter { Int($0) < tokenizer.vocabularySize }
    }
    return .document(
      id: text.id,
      [
        ("prompt_tokens", writer.json(text)), ("tokens", writer.json(generation.tokens)),
        ("text", .optional(try known.flatMap { try opened.tokenizer.value?.decode($0) })),
        ("stopped", .string(generation.stopped.rawValue)),
      ])
  }
}
