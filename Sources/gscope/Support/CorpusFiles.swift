import Activations
import ArgumentParser
import Foundation

/// Files of text, and how documents are found in them.
struct CorpusFiles: ParsableArguments {
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

  @Flag(help: "Read bytes that are not UTF-8 as U+FFFD instead of stopping.")
  var replaceInvalid = false

  var urls: [URL] { corpus.map { URL(filePath: $0) } }

  func options(_ part: CorpusOptions.Part) -> CorpusOptions {
    CorpusOptions(separator: separator, invalidText: replaceInvalid ? .replace : .refuse, part: part)
  }
}
