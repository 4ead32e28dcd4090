import Checkpoints
import Dictionaries
import Foundation
import Sites
import TestSupport
import Tensors

/// The tiny model with a vocabulary of 28 words a letter: embeddings show a word's first letter, and its blocks add nothing.
/// Beside it an SAE with one feature a letter.
struct LetterModel {
  let directory: TemporaryDirectory
  var model: String { directory.url.appending(path: "model").path }
  var dictionary: String { directory.url.appending(path: "letters").path }

  private static let letters = "abcdefghijklmnopqrstuvwxyz".map(String.init)
  private static let width = 32
  /// Of decoder rows; published formulas presume 1.
  static let decoderLength: Float = 2

  init() throws {
    directory = try TemporaryDirectory()
    let pieces = try writeTokenizer()
    try writeWeights(pieces)
    try writeDictionary()
  }

  private var folder: URL { directory.url.appending(path: "model") }

  /// Single letters of both cases and all pairs of small ones; returns pieces by id.
  private func writeTokenizer() throws -> [String] {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let data = try Data(contentsOf: Fixtures.url("gemma/causal/tokenizer.json"))
    guard var tokenizer = try JSONSerialization.jsonObject(with: data) as? [String: Any],
      var model = tokenizer["model"] as? [String: Any], let vocabulary = model["vocab"] as? [String: Int]
    else { throw CocoaError(.fileReadCorruptFile) }
    // Special tokens and bytes keep their ids.
    var pieces = vocabulary.filter { $0.value < 267 }.sorted { $0.value < $1.value }.map(\.key)
    let pairs = Self.letters.flatMap { first in Self.letters.map { [first, $0] } }
    pieces += ["\u{2581}"] + Self.letters + Self.letters.map { $0.uppercased() } + pairs.map { $0.joined() }
    model["vocab"] = Dictionary(uniqueKeysWithValues: pieces.enumerated().map { ($0.element, $0.offset) })
    model["merges"] = [["\u{2581}", "\u{2581}"]] + pairs
    tokenizer["model"] = model
    try JSONSerialization.data(withJSONObject: tokenizer).write(to: folder.appending(path: "tokenizer.json"))
    return pieces
  }

  private func writeWeights(_ pieces: [String]) throws {
    let configuration = try String(contentsOf: Fixtures.url("gemma/causal/config.json"), encoding: .utf8)
    try Data(configuration.replacing("\"vocab_size\": 300", with: "\"vocab_size\": \(pieces.count)").utf8)
      .write(to: folder.appending(path: "config.json"))
    var random = SeededRandom(seed: 21)
    let embedding = pieces.flatMap { piece -> [Float] in
      var row = random.floats(Self.width, scale: 0.05)
      if let letter = Self.letters.firstIndex(of: piece.prefix(1).lowercased()), piece.count < 3 { row[letter] += 1 }
      return row
    }
    let file = try SafetensorsFile(Fixtures.url("gemma/causal/model.safetensors"))
    var tensors: [String: Tensor] = [:]
    for name in file.names {
      let tensor = try file.tensor(name)
      let isWritten = name.contains("o_proj") || name.contains("down_proj")
      tensors[name] = isWritten ? try Tensor([Float](repeating: 0, count: tensor.count), shape: tensor.shape) : tensor
    }
    tensors["model.embed_tokens.weight"] = try Tensor(embedding, shape: [pieces.count, Self.width])
    try SafetensorsWriter.write(tensors, to: folder.appending(path: "model.safetensors"))
  }

  private func writeDictionary() throws {
    let count = Self.letters.count
    func axes(_ length: Float, rows: Int, columns: Int) -> [Float] {
      (0..<rows * columns).map { $0 / columns == $0 % columns ? length : 0 }
    }
    let shape = try DictionaryShape(
      checking: .sae, reads: [Site(.residPost, layer: 3)], writes: [Site(.residPost, layer: 3)], width: count,
      inputWidth: Self.width, outputWidth: Self.width, isAffine: false)
    let layer = DictionaryParameters.Layer(
      encoder: axes(1, rows: Self.width, columns: count), encoderBias: [Float](repeating: 0, count: count),
      threshold: [Float](repeating: 2, count: count),
      decoder: axes(Self.decoderLength, rows: count, columns: Self.width),
      decoderBias: [Float](repeating: 0, count: Self.width))
    try DictionaryParameters(shape: shape, layers: [layer]).write(to: URL(filePath: dictionary))
  }
}
