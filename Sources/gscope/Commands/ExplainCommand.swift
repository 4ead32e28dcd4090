import ArgumentParser
import Atlas
import Foundation

/// `gscope explain`
struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Label the features of an atlas and test the labels on text held out.",
    discussion: """
      Without --judge labels are made by rules and tested by their words, for every feature. With --judge a language \
      model behind an OpenAI-compatible server writes and judges them; its key is read from GSCOPE_JUDGE_KEY. What it \
      answered is kept in ATLAS-judge.jsonl: the same command goes on with a run that was stopped and pays for nothing \
      twice. Ctrl-C waits for the answers under way, which are paid for; a second one leaves at once.

      Example: gscope explain atlas.sqlite --judge http://localhost:8080 --judge-model gemma-3-27b-it --max-features 50
      """)

  @OptionGroup var path: ExplainedAtlas
  @OptionGroup var which: ExplainedChoice
  @OptionGroup var judging: JudgeOptions

  @Option(
    help: ArgumentHelp("Tests of each label: detection, fuzzing.", valueName: "tests"),
    transform: { text in
      Set(try text.split(separator: ",").map { try Choice.parse(String($0), "--tests") as LabelTest })
    })
  var tests: Set<LabelTest> = [.detection, .fuzzing]

  @Option(help: ArgumentHelp("Chooses windows and features.", valueName: "n")) var seed: UInt64 = 0
  @Option(help: ArgumentHelp("Features at work at the same time.", valueName: "n")) var parallel = 4
  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    if tests.isEmpty { throw ValidationError("--tests is empty; expected detection, fuzzing or both.") }
    if !(1...256 ~= parallel) { throw ValidationError("--parallel is \(parallel); expected 1 to 256.") }
  }

  func run() throws {
    let url = try path.url()
    let atlas = try Atlas(contentsOf: url)
    let session = try judging.session(for: atlas)
    let keys = try which.keys(of: atlas, atMost: session == nil ? nil : 100, seed: seed)
    var options = ScoringOptions()
    (options.tests, options.seed) = (tests, seed)
    let run =
      session.map {
        ExplanationRun(
          explainer: ChatExplainer($0, seed: seed), judge: ChatJudge($0), options: options, parallel: parallel)
      }
      ?? ExplanationRun(
        explainer: LexicalExplainer(seed: seed), judge: LexicalJudge(), options: options, parallel: parallel)
    var summary = ExplanationSummary()
    let progress = Progress("explain", total: keys.count, unit: "features")
    do {
      // A judge's labels cost money and minutes, and are kept one by one.
      try run.explain(
        keys, of: atlas, into: ExplanationStore(atlas), batch: session == nil ? 512 : 1, check: Interruption.check,
        onWait: { if session != nil { tellOfAnswers($0) } },
        report: { result in
          summary.add(result)
          // A run that was stopped has results yet to keep; its own check is what stops it.
          try? progress.advance(by: 1)
        })
    } catch let error as ExplanationError where error.isResumable {
      try report(summary, session, url)
      throw error
    }
    try report(summary, session, url)
  }

  private func tellOfAnswers(_ count: Int) {
    let times = Interruption.signal == SIGINT ? "again" : "twice"
    Diagnostics.message(
      "waiting for \(Format.count(count, "answer")) under way, at most \(Format.duration(judging.timeout)): what is "
        + "paid for is kept (Ctrl-C \(times) to leave at once)")
  }

  private func report(_ summary: ExplanationSummary, _ session: JudgeSession?, _ url: URL) throws {
    Progress.clear()
    if json {
      return try StandardOutput.line(
        .document([
          ("atlas", .string(url.path)), ("author", .string(session?.model ?? LexicalExplainer.name)),
          ("dictionaries", summary.json), ("spent", session.map { .integer($0.ledger.spent) } ?? .null),
          ("requests", session.map { .integer($0.counts.requests) } ?? .null),
        ]))
    }
    try summary.show()
    if let session {
      try StandardOutput.line(
        "\(Format.count(session.counts.requests, "request")), \(Format.grouped(session.counts.fromLedger)) answered from "
          + "\(session.ledger.file.lastPathComponent), which holds \(Format.count(session.ledger.spent, "token")) spent"
      )
    }
  }
}
