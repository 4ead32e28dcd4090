import ArgumentParser
import Checkpoints
import Foundation
import Gemma
import Sites
import Tensors
import Tokenization

struct ModelBenchOptions: ParsableArguments {
  @Option(help: "A model folder or GGUF file.") var model: String

  var url: URL { URL(filePath: model) }

  func load(_ options: BenchOptions) throws -> GemmaModel {
    try GemmaModel(contentsOf: url, backend: NativeBackend(threads: options.threads))
  }

  /// `count` ordinary tokens behind a BOS.
  static func tokens(_ count: Int) -> [Int32] { [2] + (1..<max(count, 1)).map { Int32(1000 + ($0 * 7919) % 50_000) } }

  /// The likeliest token after `tokens`, which continue what `session` has seen.
  static func next(_ model: GemmaModel, _ tokens: [Int32], _ session: GemmaSession) throws -> Int32 {
    let logits = try model.forward([tokens], logits: .last, sessions: [session]).logits
    return Int32(try logits.map { try model.backend.topK($0, 1) }?.first?.first?.index ?? 0)
  }
}

struct LoadBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract: "Seconds from nothing to the first next-token prediction of a text, tokenizer included, and the memory.")

  @OptionGroup var options: BenchOptions
  @OptionGroup var model: ModelBenchOptions
  @Option(help: "The text; the peers read the same.") var text = "The capital of France is"

  func run() throws {
    // The file is read once first: this is about the program, not about the disk.
    let files = try weightFiles()
    for file in files { try Self.readThrough(file) }
    let (_, seconds) = try Measure.once {
      let loaded = try model.load(options)
      let tokenizer = try makeTokenizer()
      return try ModelBenchOptions.next(loaded, tokenizer.encode(text), loaded.makeSession())
    }
    // Before anything else is loaded: what one model and its first token took at most.
    let resident = Measure.peakMemory
    let (_, alone) = try Measure.once { try model.load(options) }
    let file = try files.reduce(0) {
      $0 + (try $1.resolvingSymlinksInPath().resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0)
    }
    try options.report([
      "first_token_seconds": seconds, "load_seconds": alone, "resident_bytes": Double(resident),
      "file_bytes": Double(file), "resident_share": Double(resident) / Double(max(file, 1)),
    ])
  }

  /// The GGUF, or the folder's safetensors files.
  private func weightFiles() throws -> [URL] {
    let url = model.url.resolvingSymlinksInPath()
    guard url.pathExtension != "gguf" else { return [url] }
    return try FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: nil).filter {
      $0.pathExtension == "safetensors"
    }
  }

  /// Reads a file in pieces and forgets them; the system keeps it in memory.
  private static func readThrough(_ url: URL) throws {
    let handle = try FileHandle(forReadingFrom: url)
    defer { try? handle.close() }
    while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty {}
  }

  private func makeTokenizer() throws -> GemmaTokenizer {
    let url = model.url
    return url.pathExtension == "gguf"
      ? try GemmaTokenizer(gguf: GGUFFile(url)) : try GemmaTokenizer(contentsOf: url.appending(path: "tokenizer.json"))
  }
}

struct PrefillBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prefill",
    abstract: "Tokens/s and GFLOP/s of one pass that fills a session, with logits at the last position.")

  @OptionGroup var options: BenchOptions
  @OptionGroup var model: ModelBenchOptions
  @Option(help: "Tokens in the prompt.") var tokens = 1024

  func run() throws {
    let loaded = try model.load(options)
    let prompt = ModelBenchOptions.tokens(tokens)
    let seconds = try Measure.median(repeats: options.repeats) {
      _ = try loaded.forward([prompt], logits: .last, sessions: [loaded.makeSession()])
    }
    let work = ModelWork(try GemmaCheckpoint(model.url))
    try options.report([
      "tokens_per_second": Double(tokens) / seconds, "gflops": work.prefillOperations(tokens) / seconds / 1e9,
    ])
  }
}

struct DecodeBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decode", abstract: "Tokens/s of greedy steps after a prompt, and GB/s of what they read.")

  @OptionGroup var options: BenchOptions
  @OptionGroup var model: ModelBenchOptions
  @Option(help: "Tokens in the prompt.") var prompt = 256
  @Option(help: "Tokens to generate.") var steps = 64

  func run() throws {
    let loaded = try model.load(options)
    let tokens = ModelBenchOptions.tokens(prompt)
    // Each run is a prefill that is not timed and `steps` timed steps.
    let rates = try (0..<max(options.repeats, 1)).map { _ in
      let session = try loaded.makeSession()
      var next = try ModelBenchOptions.next(loaded, tokens, session)
      let (_, seconds) = try Measure.once {
        for _ in 0..<steps { next = try ModelBenchOptions.next(loaded, [next], session) }
      }
      return Double(steps) / seconds
    }
    let rate = rates.sorted()[rates.count / 2]
    let bytes = ModelWork(try GemmaCheckpoint(model.url)).decodeBytes(position: prompt + steps / 2)
    try options.report(["tokens_per_second": rate, "gbytes_per_second": rate * bytes / 1e9, "bytes_a_token": bytes])
  }
}
