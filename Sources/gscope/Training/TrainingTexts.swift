import Activations
import Checkpoints
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

  /// What to say where `--heldout` is text that is trained on too; nil when it is other text.
  /// - Parameter store: what is trained on instead of texts.
  func overlap(with store: ActivationStore?) throws -> String? {
    guard let heldOut, heldOut.options.part == .all else { return nil }
    let consequence = "figures will look better than on text that training has not seen"
    if let store, try store.settings.corpusSHA256 == heldOut.sha256(check: Interruption.check) {
      return "--heldout is the text that the store was harvested from: \(consequence)"
    }
    for file in heldOut.files {
      guard let twin = try training?.files.first(where: { try Self.isSame($0.url, file.url) }) else { continue }
      return "--heldout \(file.url.path) is trained on too, as \(twin.url.path): \(consequence)"
    }
    return nil
  }

  /// One file, or two with the same bytes.
  private static func isSame(_ a: URL, _ b: URL) throws -> Bool {
    let (a, b) = (a.resolvingSymlinksInPath(), b.resolvingSymlinksInPath())
    if a.path == b.path { return true }
    func size(_ url: URL) -> Int? { (try? url.resourceValues(forKeys: [.fileSizeKey]))?.fileSize }
    guard let bytes = size(a), bytes == size(b) else { return false }
    return try SHA256.hex(of: a, check: Interruption.check) == SHA256.hex(of: b, check: Interruption.check)
  }
}
