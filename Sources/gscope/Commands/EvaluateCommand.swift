import Activations
import ArgumentParser
import Dictionaries
import Evaluation
import Foundation
import Gemma
import Logging
import Sites

/// `gscope evaluate`
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure dictionaries on a corpus: reconstruction, density, what splicing costs, per site and position.",
    discussion: """
      One pass of the model measures any number of dictionaries; the folder of a suite stands for all of them, or \
      those that --at, --width, --l0 and --affine choose. Figures come with 95 % intervals over sequences; \
      docs/metrics.md defines each. --output writes evaluation.json and report.html, a page with tables and plots that \
      needs nothing else.

      Example: gscope evaluate --dictionary suites/gemma-3-270m --at resid_post.9 \
      --corpus .cache/corpus/heldout.jsonl.gz --output evaluated
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var dictionaries: DictionaryOptions
  @OptionGroup var corpus: CorpusArguments

  @Option(help: ArgumentHelp("Tokens to measure on.", valueName: "n")) var tokens = 16_384
  @Option(help: ArgumentHelp("Of these, tokens to measure losses on, from the beginning.", valueName: "n"))
  var lossTokens = 4096

  @Option(
    help: ArgumentHelp(
      "What to put in place of activations: each dictionary alone, the whole set at once, both, or none.",
      valueName: "what"),
    transform: { try Choice.parse($0, "--splice") })
  var splice = DictionaryEvaluation.Splices.each

  @Option(
    help: ArgumentHelp(
      "A second L0 and FVU leave out tokens longer than so many times the median: attention sinks.",
      valueName: "factor"))
  var normFilter = OutlierRule.usualFactor

  @OptionGroup(title: "Benchmark tasks") var tasks: EvaluationTaskOptions

  @Option(name: .shortAndLong, help: ArgumentHelp("A folder to write.", valueName: "dir"), completion: .directory)
  var output: String?

  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    try dictionaries.requireOne()
    try corpus.check()
    try tasks.check()
    if tokens < 2 { throw ValidationError("--tokens is \(tokens); expected 2 or more.") }
    if lossTokens < 1 { throw ValidationError("--loss-tokens is \(lossTokens); expected 1 or more.") }
    guard normFilter >= 1, normFilter.isFinite else {
      throw ValidationError("--norm-filter is \(normFilter); expected 1 or more.")
    }
    if output?.isEmpty == true { throw ValidationError("--output names no folder.") }
  }

  func run() throws {
    let texts = try corpus.open()
    let folder = try output.map { try EvaluationFolder(URL(filePath: $0)) }
    let opened = try model.open()
    let list = try dictionaries.openAll(for: opened)
    let inputs = try TaskInputs(tasks, opened: opened, dictionaries: list.map(\.dictionary))
    let sequences = try CorpusSequences.cut(
      texts, context: corpus.context, limit: tokens, opened: opened, flag: "--corpus")
    let evaluation = DictionaryEvaluation(
      opened.model, dictionaries: list.map(\.dictionary), specialTokens: opened.specialTokens,
      options: .init(lossTokens: lossTokens, splices: splice, outliers: OutlierRule(factor: normFilter)))
    if let shared = EvaluationReport.describe(evaluation.sharedWrites) {
      Diagnostics.log.warning("--splice \(splice.rawValue): \(shared)")
    }
    let progress = Progress("evaluate", total: evaluation.work(sequences), unit: "tokens")
    let result = try evaluation.run(sequences, check: Interruption.check) { try progress.advance(by: Double($0)) }
    var report = EvaluationReport(
      modelName: opened.name, corpus: corpus.files.corpus, context: corpus.context, normFilter: normFilter,
      dictionaries: list.map(\.dictionary), result: result, unfinished: inputs.tasks)
    // Tasks can take much longer than the figures, and may fail or be stopped: what is known is shown and written first.
    try folder?.write(report)
    if !json { try report.show() }
    let run = TaskRun(
      opened: opened, dictionaries: list.map(\.dictionary), options: tasks, inputs: inputs, sequences: sequences,
      densities: result.parts.map(\.density))
    do {
      try run.run { task in
        report.add(task)
        try folder?.write(report)
        if !json { try task.show() }
      }
    } catch {
      if let folder { Diagnostics.message("what was found so far is in \(folder.url.path)") }
      throw error
    }
    if json {
      try StandardOutput.line(report.json.text)
    } else if let folder {
      try StandardOutput.line("written to \(folder.url.path): report.html, evaluation.json")
    }
  }
}
