import Activations
import Foundation
import Logging

/// The texts of a run: what is trained on, and what is held out.
struct TrainingTexts {
  /// Nil where stored activations are trained on.
  let training: Corpus?
  /// Nil: the built-in sample.
  let heldOut: Corpus?
  /// How the held-out text is called in `training.json`.
  let heldOutName: String

  /// Without held-out texts given, one document in fifty of the corpus is kept from training. A corpus too small for
  /// that is trained on whole, and the built-in English sample is measured on.
  init(_ options: TrainingOptions) throws {
    let urls = options.texts.urls
    if !options.heldout.isEmpty {
      training = urls.isEmpty ? nil : try Corpus(urls, options: options.texts.options(.all))
      heldOut = try Corpus(options.heldout.map { URL(filePath: $0) }, options: options.texts.options(.all))
      heldOutName = options.heldout.joined(separator: " ")
      return
    }
    if !urls.isEmpty {
      let split = try Corpus(urls, options: options.texts.options(.training))
      let kept = try Corpus(urls, options: options.texts.options(.heldOut))
      if try DocumentReader(split).next() != nil, try DocumentReader(kept).next() != nil {
        (training, heldOut) = (split, kept)
        heldOutName = "one document in \(kept.options.heldOutEvery) of the corpus"
        return
      }
    }
    Diagnostics.log.warning(
      """
      no text can be held out of \(urls.isEmpty ? "a store" : "so few documents"): the built-in sample is measured on \
      (see --heldout)
      """)
    training = urls.isEmpty ? nil : try Corpus(urls, options: options.texts.options(.all))
    heldOut = nil
    heldOutName = "built-in sample"
  }
}
