import Activations
import ArgumentParser
import Atlas
import Dictionaries
import Foundation
import Gemma

/// `gscope atlas build`
struct AtlasBuildCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "build", abstract: "Run a corpus through the model once and write down what every feature did.",
    discussion: """
      Of a suite's folder all dictionaries are taken, or those that --at, --width, --l0 and --affine allow. Run the \
      same command again to go on with a build that was stopped; until it is finished, what is there lies in \
      FILE-build, and 'gscope atlas show --partial' reads it.

      Example: gscope atlas build --dictionary suites/gemma-3-270m --at resid_post.9 \
      --corpus .cache/corpus/train.jsonl.gz --tokens 100000 --output atlas.sqlite
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var dictionaries: DictionaryOptions
  @OptionGroup var files: CorpusFiles
  @OptionGroup var documents: CorpusPart

  @Option(help: ArgumentHelp("Tokens to count, special ones not counted.", valueName: "n")) var tokens: Int

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file"),
    completion: .file(extensions: ["sqlite"]))
  var output: String

  @Option(help: ArgumentHelp("Tokens of a sequence, <bos> included.", valueName: "n")) var context = 256
  @Option(help: ArgumentHelp("Top examples of a feature, one of a sequence at most.", valueName: "n")) var examples = 16
  @Option(help: ArgumentHelp("Sequences that run at once.", valueName: "n")) var batch = 8
  @Option(help: ArgumentHelp("Chooses the samples.", valueName: "n")) var seed: UInt64 = 0

  @Option(help: ArgumentHelp("Seconds between two savings of what is done.", valueName: "seconds"))
  var saveEvery: Double = 120

  @Flag(help: "Remove what is there and begin anew.") var overwrite = false
  @Flag(help: "Write JSON.") var json = false

  private var options: AtlasOptions {
    AtlasOptions(
      tokens: tokens, context: context, batch: batch, seed: seed, examples: examples, saveEvery: saveEvery)
  }

  func validate() throws {
    try dictionaries.requireOne()
    if files.corpus.isEmpty { throw ValidationError("Missing --corpus PATH.") }
    for (flag, value, least) in [
      ("--tokens", tokens, 1), ("--context", context, 2), ("--examples", examples, 1), ("--batch", batch, 1),
    ] where value < least {
      throw ValidationError("\(flag) is \(value); expected \(least) or more.")
    }
    if !(0...AtlasOptions.longestPause ~= saveEvery) {
      throw ValidationError("--save-every is \(saveEvery); expected 0 to \(AtlasOptions.longestPause) seconds.")
    }
  }

  func run() throws {
    MemoryPolicy.returnLargeBlocks()
    let start = ContinuousClock.now
    let url = URL(filePath: output)
    let texts = try Corpus(files.urls, options: files.options(documents.part))
    let opened = try model.open()
    let tokenizer = try opened.tokenizer.required()
    let items = try dictionaries.openAll(for: opened).map(\.dictionary)
    let builder = try AtlasBuilder(
      opened.model, AtlasModel(name: opened.name, sha256: try opened.weightHash()), tokenizer: tokenizer,
      corpus: texts, dictionaries: items, options: options, at: url, check: Interruption.check)
    let plan = builder.plan
    let what = items.count == 1 ? "a dictionary" : "\(items.count) dictionaries"
    Diagnostics.message(
      "\(Format.count(plan.features, "feature")) of \(what), "
        + "what is counted takes at most \(Format.bytes(plan.bytes)) of memory")
    if overwrite { try AtlasBuilder.remove(url) }
    let view = AtlasProgress()
    var trimmed = ContinuousClock.now
    try builder.build { progress in
      // A small model frees 10 MB in a second.
      if ContinuousClock.now - trimmed > .seconds(2) {
        MemoryPolicy.returnFreedPages()
        trimmed = .now
      }
      try view.show(progress)
    }
    try report(url, items: items.count, seconds: (ContinuousClock.now - start) / .seconds(1))
  }

  private func report(_ url: URL, items: Int, seconds: Double) throws {
    let atlas = try Atlas(contentsOf: url)
    let bytes = (try? url.resourceValues(forKeys: [.fileSizeKey]))?.fileSize ?? 0
    let counted = Int(try atlas.meta("tokens") ?? "") ?? 0
    let features = atlas.dictionaries.reduce(0) { $0 + $1.features }
    if json {
      return try StandardOutput.line(
        .document([
          ("output", .string(url.path)), ("tokens", .integer(counted)), ("features", .integer(features)),
          ("dictionaries", .array(atlas.dictionaries.map(AtlasReport.json))), ("bytes", .integer(bytes)),
          ("seconds", .double(seconds)),
        ]))
    }
    try StandardOutput.line(
      "\(Format.count(features, "feature")) over \(Format.count(counted, "token")) in \(url.relativePath), "
        + "\(Format.bytes(bytes)), \(Format.duration(seconds))")
    if counted < tokens {
      Diagnostics.message("the corpus has \(Format.count(counted, "token")), fewer than --tokens \(tokens)")
    }
  }
}

/// One line of progress for each stage of a build.
final class AtlasProgress {
  private var stage: BuildProgress.Stage?
  private var done = 0
  private var line: Progress?

  func show(_ progress: BuildProgress) throws {
    if progress.stage != stage {
      stage = progress.stage
      done = progress.done
      let (what, unit) =
        switch progress.stage {
        case .pass: ("atlas", "tokens")
        case .features: ("logits", "features")
        case .neighbours: ("neighbours", "features")
        case .file: ("file", "files")
        }
      if progress.stage == .pass, progress.done > 0 {
        Diagnostics.message("going on behind \(Format.count(progress.done, "token")) counted before")
      }
      line = Progress(what, total: max(progress.total - progress.done, 0), unit: unit)
    }
    try line?.advance(by: Double(progress.done - done))
    done = progress.done
  }
}
