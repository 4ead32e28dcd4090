import Activations
import Foundation
import Gemma
import Tokenization

/// The texts of a run: what is trained on, and what is held out.
struct TrainingTexts {
  let training: Corpus
  /// Nil: the built-in sample.
  let heldOut: Corpus?
  /// How the held-out text is called in `training.json`.
  let heldOutName: String

  /// Without held-out texts given, one document in fifty of the corpus is kept from training. A corpus too small for
  /// that is trained on whole, and the built-in English sample is measured on.
  init(_ paths: [String], heldOut: [String]) throws {
    let urls = paths.map { URL(filePath: $0) }
    if !heldOut.isEmpty {
      training = try Corpus(urls)
      self.heldOut = try Corpus(heldOut.map { URL(filePath: $0) })
      heldOutName = heldOut.joined(separator: " ")
      return
    }
    let split = try Corpus(urls, options: CorpusOptions(part: .training))
    let kept = try Corpus(urls, options: CorpusOptions(part: .heldOut))
    if try DocumentReader(split).next() != nil, try DocumentReader(kept).next() != nil {
      (training, self.heldOut) = (split, kept)
      heldOutName = "one document in \(kept.options.heldOutEvery) of the corpus"
      return
    }
    Diagnostics.log.warning(
      "the corpus has too few documents to hold any out; the built-in sample text is measured on (see --heldout)")
    training = try Corpus(urls)
    self.heldOut = nil
    heldOutName = "built-in sample"
  }

  /// Held-out sequences of at most `context` tokens, together about `limit` tokens.
  static func sequences(
    _ corpus: Corpus?, context: Int, limit: Int, opened: OpenedModel
  ) throws -> [[Int32]] {
    let tokenizer = try opened.tokenizer.required()
    var sequences: [[Int32]] = []
    if let corpus {
      let packer = try SequencePacker(
        corpus, tokenizer: tokenizer, options: PackingOptions(context: context, tokenLimit: limit))
      while let sequence = try packer.next() { sequences.append(sequence.tokens) }
    } else {
      let ids = try tokenizer.encode(SampleText.paragraphs)
      let bos = opened.configuration.beginToken
      let body = Array(ids.drop { $0 == bos }.prefix(limit))
      sequences = stride(from: 0, to: body.count, by: context - 1).map {
        [bos] + body[$0..<min($0 + context - 1, body.count)]
      }
    }
    sequences.removeAll { $0.count < 2 }
    guard !sequences.isEmpty else {
      throw CommandError.input(source: "--heldout", reason: "has fewer than two tokens to measure on")
    }
    return sequences
  }
}
