import Activations
import ArgumentParser
import Dictionaries
import Evaluation
import Foundation
import Gemma
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
    let sequences = try CorpusSequences.cut(
      texts, context: corpus.context, limit: tokens, opened: opened, flag: "--corpus")
    let evaluation = DictionaryEvaluation(
      opened.model, dictionaries: list.map(\.dictionary), specialTokens: opened.specialTokens,
      options: .init(lossTokens: lossTokens, splices: splice, outliers: OutlierRule(factor: normFilter)))
    let progress = Progress("evaluate", total: evaluation.work(sequences), unit: "tokens")
    let result = try evaluation.run(sequences, check: Interruption.check) { try progress.advance(by: Double($0)) }
    let found = try TaskRun(
      opened: opened, dictionaries: list.map(\.dictionary), options: tasks, sequences: sequences,
      densities: result.parts.map(\.density)
    ).run()
    let report = EvaluationReport(
      modelName: opened.name, corpus: corpus.files.corpus, context: corpus.context, normFilter: normFilter,
      dictionaries: list.map(\.dictionary), result: result, tasks: found)
    try folder?.write(report)
    if json { try StandardOutput.line(report.json.text) } else { try report.show(folder: folder?.url) }
  }
}
