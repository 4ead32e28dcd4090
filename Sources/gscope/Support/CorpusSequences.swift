import Activations
import Gemma
import Tokenization

/// Sequences cut from texts, to measure on.
enum CorpusSequences {
  /// Sequences of at most `context` tokens, together about `limit`, `<bos>` first in each.
  /// - Parameters:
  ///   - corpus: nil for the built-in sample.
  ///   - flag: what named the texts.
  static func cut(
    _ corpus: Corpus?, context: Int, limit: Int, opened: OpenedModel, flag: String
  ) throws -> [[Int32]] {
    let tokenizer = try opened.tokenizer.required()
    let context = min(context, opened.configuration.maximumPositions)
    var sequences: [[Int32]] = []
    if let corpus {
      let packer = try SequencePacker(
        corpus, tokenizer: tokenizer, options: PackingOptions(context: context, tokenLimit: limit))
      while let sequence = try packer.next() { sequences.append(sequence.tokens) }
    } else {
      let ids = tokenizer.encode(SampleText.paragraphs)
      let bos = opened.configuration.beginToken
      let body = Array(ids.drop { $0 == bos }.prefix(limit))
      sequences = stride(from: 0, to: body.count, by: context - 1).map {
        [bos] + body[$0..<min($0 + context - 1, body.count)]
      }
    }
    sequences.removeAll { $0.count < 2 }
    guard !sequences.isEmpty else {
      throw CommandError.input(source: flag, reason: "has fewer than two tokens to measure on")
    }
    return sequences
  }
}
