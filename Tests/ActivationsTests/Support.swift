import Activations
import Checkpoints
import Foundation
import Gemma
import Sites
import Tensors
import TestSupport
import Tokenization

/// The tiny model with its tokenizer, and texts for it.
enum Tiny {
  static let folder = Fixtures.url("gemma/causal")

  static func model(threads: Int = 2) throws -> GemmaModel {
    try GemmaModel(contentsOf: folder, backend: NativeBackend(threads: threads))
  }

  static func tokenizer() throws -> GemmaTokenizer { try GemmaTokenizer(contentsOf: folder) }

  /// A document of `words` random words.
  static func text(_ words: Int, _ random: inout SeededRandom) -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyz éß漢\n<bos>")
    return (0..<words).map { _ in
      String((0..<random.int(1...7)).map { _ in letters[random.int(0...letters.count - 1)] })
    }.joined(separator: " ")
  }

  /// A JSONL file of documents of 0 to `words` words.
  static func corpus(
    _ directory: TemporaryDirectory, documents: Int, words: Int = 60, seed: UInt64 = 1, name: String = "texts.jsonl"
  ) throws -> Corpus {
    var random = SeededRandom(seed: seed)
    let lines = (0..<documents).map { _ in "{\"text\":\(JSONText.quoted(text(random.int(0...words), &random)))}\n" }
    return try Corpus([directory.write(Array(lines.joined().utf8), as: name)])
  }

  static func options(
    context: Int = 24, batch: Int = 3, limit: Int? = nil, shard: Int = 0, of count: Int = 1
  ) -> HarvestOptions {
    HarvestOptions(
      packing: PackingOptions(context: context, tokenLimit: limit, shard: shard, shardCount: count), batch: batch)
  }

  static func sequences(_ corpus: Corpus, _ options: PackingOptions) throws -> [PackedSequence] {
    let packer = try SequencePacker(corpus, tokenizer: tokenizer(), options: options)
    var all: [PackedSequence] = []
    while let next = try packer.next() { all.append(next) }
    return all
  }
}

extension ActivationSource {
  /// All windows from here on.
  func windows() throws -> [ActivationWindow] {
    var all: [ActivationWindow] = []
    while let next = try nextWindow() { all.append(next) }
    return all
  }
}

extension ActivationWindow {
  /// Every bit of it.
  func bits() throws -> [[UInt8]] { try tensors.map { try $0.bytes() } + [tokens.withUnsafeBytes { Array($0) }] }
}
