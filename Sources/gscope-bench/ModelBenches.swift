import ArgumentParser
import Foundation
import Gemma
import Sites
import Tensors
import Tokenization

struct ModelBenchOptions: ParsableArguments {
  @Option(help: "A model folder or GGUF file.") var model: String

  func load(_ options: BenchOptions) throws -> GemmaModel {
    try GemmaModel(contentsOf: URL(filePath: model), backend: NativeBackend(threads: options.threads))
  }

  /// `count` ordinary tokens behind a BOS.
  static func tokens(_ count: Int) -> [Int32] { [2] + (1..<max(count, 1)).map { Int32(1000 + ($0 * 7919) % 50_000) } }
}

struct LoadBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load", abstract: "Seconds from nothing to the first next-token prediction.")

  @OptionGroup var options: BenchOptions
  @OptionGroup var model: ModelBenchOptions

  func run() throws {
    let (_, seconds) = try Measure.once {
      let loaded = try model.load(options)
      let logits = try loaded.forward([ModelBenchOptions.tokens(6)], logits: .last).logits
      return try logits.map { try loaded.backend.topK($0, 1) }
    }
    try options.report(["first_token_seconds": seconds])
  }
}

struct PrefillBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prefill", abstract: "Tokens/s of one pass with logits at the last position.")

  @OptionGroup var options: BenchOptions
  @OptionGroup var model: ModelBenchOptions
  @Option(help: "Tokens in the prompt.") var tokens = 1024

  func run() throws {
    let model = try model.load(options)
    let prompt = ModelBenchOptions.tokens(tokens)
    let seconds = try Measure.median(repeats: options.repeats) { _ = try model.forward([prompt], logits: .last) }
    try options.report(["tokens_per_second": Double(tokens) / seconds])
  }
}

struct DecodeBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decode", abstract: "Tokens/s of greedy steps after a prompt.")

  @OptionGroup var options: BenchOptions
  @OptionGroup var model: ModelBenchOptions
  @Option(help: "Tokens in the prompt.") var prompt = 256
  @Option(help: "Tokens to generate.") var steps = 64

  func run() throws {
    let model = try model.load(options)
    let prompt = ModelBenchOptions.tokens(prompt)
    // Each run is a prefill that is not timed and `steps` timed steps.
    let rates = try (0..<max(options.repeats, 1)).map { _ in
      let session = try model.makeSession()
      var next = try argmax(model, prompt, session)
      let (_, seconds) = try Measure.once {
        for _ in 0..<steps { next = try argmax(model, [next], session) }
      }
      return Double(steps) / seconds
    }
    try options.report(["tokens_per_second": rates.sorted()[rates.count / 2]])
  }

  private func argmax(_ model: GemmaModel, _ tokens: [Int32], _ session: GemmaSession) throws -> Int32 {
    let logits = try model.forward([tokens], logits: .last, sessions: [session]).logits
    return Int32(try logits.map { try model.backend.topK($0, 1) }?.first?.first?.index ?? 0)
  }
}

struct HarvestBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "harvest", abstract: "Tokens/s of capturing one site for a batch, stopping after it.")

  @OptionGroup var options: BenchOptions
  @OptionGroup var model: ModelBenchOptions
  @Option(help: "The residual stream after this layer.") var layer = 9
  @Option(help: "Sequences at once.") var sequences = 8
  @Option(help: "Tokens in each.") var tokens = 256

  func run() throws {
    let model = try model.load(options)
    let batch = (0..<sequences).map { i in ModelBenchOptions.tokens(tokens).map { $0 == 2 ? 2 : $0 + Int32(i) } }
    let site = Site.residPost(layer)
    let seconds = try Measure.median(repeats: options.repeats) {
      _ = try model.forward(batch, capture: [site], logits: .none)
    }
    try options.report(["tokens_per_second": Double(sequences * tokens) / seconds])
  }
}
