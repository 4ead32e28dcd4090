import ArgumentParser
import Checkpoints
import Foundation
import Tokenization

struct TokenizeBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "MB/s of encoding a text file, and seconds to load the tokenizer.")

  @OptionGroup var options: BenchOptions
  @Option(help: "A tokenizer.json or a GGUF file.") var tokenizer: String
  @Option(help: "The text.") var text: String

  func run() throws {
    let url = URL(filePath: tokenizer)
    let (tokenizer, load) = try Measure.once {
      url.pathExtension == "gguf" ? try GemmaTokenizer(gguf: GGUFFile(url)) : try GemmaTokenizer(contentsOf: url)
    }
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: text)))
    var count = 0
    let seconds = Measure.median(repeats: options.repeats) { count = tokenizer.encode(utf8: bytes).count }
    try options.report([
      "load_seconds": load, "mbytes_per_second": Double(bytes.count) / seconds / 1e6, "tokens": Double(count),
    ])
  }
}
