import Activations
import ArgumentParser
import Foundation

/// The texts that a model is run over in bulk, and how they are cut.
struct CorpusArguments: ParsableArguments {
  @OptionGroup var files: CorpusFiles
  @OptionGroup var documents: CorpusPart

  @Option(help: ArgumentHelp("Tokens of a sequence, <bos> included.", valueName: "n")) var context = 1024

  /// - Throws: `ValidationError`.
  func check() throws {
    if files.corpus.isEmpty { throw ValidationError("Missing --corpus PATH.") }
    guard 2...1 << 20 ~= context else { throw ValidationError("--context is \(context); expected 2 or more.") }
  }

  /// - Throws: `ActivationError` for paths that hold no text.
  func open() throws -> Corpus {
    try Corpus(files.urls, options: files.options(documents.part))
  }
}
