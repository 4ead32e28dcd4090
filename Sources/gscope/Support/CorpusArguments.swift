import Activations
import ArgumentParser
import Foundation

/// The texts that a model is run over in bulk, and how they are cut.
struct CorpusArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A file or folder of texts, repeatable: plain text, JSONL ({\"text\"} or {\"messages\"}), or gzip of either.",
      valueName: "path"),
    completion: .file())
  var corpus: [String] = []

  @Option(
    help: ArgumentHelp(
      "What ends a document of a plain text: file, blank-line, or zero (a zero byte).", valueName: "what"),
    transform: { try Choice.parse($0, "--separator") })
  var separator = CorpusOptions.Separator.file

  @Option(
    help: ArgumentHelp(
      "Which documents: all, training, or held-out (one in 50, chosen by their own bytes).", valueName: "part"),
    transform: { try Choice.parse($0, "--part") })
  var part = CorpusOptions.Part.all

  @Flag(help: "Read bytes that are not UTF-8 as U+FFFD instead of stopping.")
  var replaceInvalid = false

  @Option(help: ArgumentHelp("Tokens of a sequence, <bos> included.", valueName: "n")) var context = 1024

  /// - Throws: `ValidationError`.
  func check() throws {
    if corpus.isEmpty { throw ValidationError("Missing --corpus PATH.") }
    guard 2...1 << 20 ~= context else { throw ValidationError("--context is \(context); expected 2 or more.") }
  }

  /// - Throws: `ActivationError` for paths that hold no text.
  func open() throws -> Corpus {
    try Corpus(
      corpus.map { URL(filePath: $0) },
      options: CorpusOptions(separator: separator, invalidText: replaceInvalid ? .replace : .refuse, part: part))
  }
}
