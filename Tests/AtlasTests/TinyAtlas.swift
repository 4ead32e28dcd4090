import Activations
import Atlas
import Checkpoints
import Dictionaries
import Foundation
import Gemma
import Sites
import Tensors
import TestSupport
import Tokenization

/// The tiny model with its tokenizer, four dictionaries, and a corpus of random documents.
struct TinyAtlas {
  let backend: NativeBackend
  let model: GemmaModel
  let tokenizer: GemmaTokenizer
  let dictionaries: [SparseDictionary]
  let corpus: Corpus
  let directory: TemporaryDirectory

  static let names = ["residual", "attention", "transcoder", "crosscoder"]
  private static let paths = [
    "resid_post/layer_3_width_37_l0_small", "attn_out/layer_5_width_53_l0_medium",
    "transcoder/layer_4_width_53_l0_small_affine", "crosscoder/layer_1_2_4_6_width_148_l0_medium",
  ]

  init(documents: Int = 40, threads: Int = 2, names: [String] = TinyAtlas.names) throws {
    backend = try NativeBackend(threads: threads)
    let folder = Fixtures.url("gemma/causal")
    model = try GemmaModel(contentsOf: folder, backend: backend)
    tokenizer = try GemmaTokenizer(contentsOf: folder)
    let backend = backend
    dictionaries = try zip(Self.names, Self.paths).filter { names.contains($0.0) }.map { name, path in
      try SparseDictionary(contentsOf: Fixtures.url("dictionaries/\(path)"), name: name, backend: backend)
    }
    directory = try TemporaryDirectory()
    var random = SeededRandom(seed: 4)
    let lines = (0..<documents).map { _ in "{\"text\":\(JSONText.quoted(Self.text(random.int(0...60), &random)))}\n" }
    corpus = try Corpus([directory.write(Array(lines.joined().utf8), as: "texts.jsonl")])
  }

  private static func text(_ words: Int, _ random: inout SeededRandom) -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyz éß漢\n")
    return (0..<words).map { _ in
      String((0..<random.int(1...7)).map { _ in letters[random.int(0...letters.count - 1)] })
    }.joined(separator: " ")
  }

  static var options: AtlasOptions {
    AtlasOptions(
      tokens: 1500, context: 48, batch: 3, seed: 9, examples: 5, before: 6, after: 3, poolWindows: 7, saveEvery: 0)
  }

  func url(_ name: String) -> URL { directory.url.appending(path: name) }

  func builder(
    _ url: URL, _ options: AtlasOptions = TinyAtlas.options, check: @escaping CancellationCheck = {}
  ) throws -> AtlasBuilder {
    try AtlasBuilder(
      model, AtlasModel(name: "tiny", sha256: "m"), tokenizer: tokenizer, corpus: corpus,
      dictionaries: dictionaries, options: options, at: url, check: check)
  }

  func build(_ name: String = "atlas.sqlite", _ options: AtlasOptions = TinyAtlas.options) throws -> Atlas {
    try builder(url(name), options).build()
    return try Atlas(contentsOf: url(name))
  }
}
