import Dictionaries
import Evaluation
import Gemma
import Sites

/// First-letter probes, splitting and absorption.
struct FirstLetterReport {
  let run: TaskRun

  /// With a few hundred words of each letter fifty epochs are too few steps for Adam, and at Gemma's norms most of an
  /// activation is its mean: by default probes see centred activations, four times as often.
  private var scaling: LetterProbes.Scaling { run.options.asPublished ? .unit : .centred }
  private var training: MultiProbe.Options {
    var options = FirstLetterConstants.denseProbe
    if !run.options.asPublished { options.epochs *= 4 }
    return options
  }

  func report() throws -> TaskReport {
    let fitting = run.dictionaries.filter { !$0.shape.isMultiLayer }
    let tokenizer = try run.opened.tokenizer.required()
    let words = try LetterWords(tokenizer, perLetter: run.options.words, seed: 0)
    let prompts = try LetterPrompts(words, tokenizer: tokenizer, seed: 0)
    var (tables, json, notes): ([TaskReport.Table], [JSONValue], [String]) = ([], [], [])
    let left = run.dictionaries.count - fitting.count
    if left > 0 { notes.append("Dictionaries of several layers are not measured: \(left).") }
    let sites = Set(fitting.flatMap { $0.shape.reads + $0.shape.writes })
    let progress = Progress("first letters", total: prompts.words.count, unit: "words")
    let activations = try LetterActivations.measure(
      run.opened.model, prompts, sites: sites, check: Interruption.check
    ) { try progress.advance(by: Double($0)) }
    var rows: [[String]] = []
    var probes: [Site: LetterProbes] = [:]
    for dictionary in fitting {
      let site = dictionary.shape.writes[0]
      let dense =
        try probes[site]
        ?? LetterProbes(
          activations, site: site, scaling: scaling, options: training, seed: 0, check: Interruption.check)
      probes[site] = dense
      let result = try FirstLetterTask.measure(
        dictionary, activations, probes: dense, seed: 0, check: Interruption.check)
      rows.append(Self.row(dictionary.name, result))
      tables.append(Self.letters(dictionary.name, result))
      json.append(self.json(dictionary.name, result))
    }
    let summary = TaskReport.Table(
      titles: [
        "dictionary", "letters that the model shows", "absorbed, share", "fully absorbed", "features a letter",
        "F1 dense", "F1 of 1 feature", "of 1 channel",
      ], rows: rows)
    return TaskReport(
      task: .absorption, title: "First letters: absorption and splitting",
      notes: notes + [
        "Absorption can be asked for where a dense probe finds \(FirstLetterConstants.leastLetters) letters or more with "
          + "an F1 above \(FirstLetterConstants.leastF1); elsewhere it is not applicable, and the probes' scores are what there is."
      ], tables: [summary] + tables, json: .array(json))
  }

  private static func mean(_ probes: [LetterProbe], _ f1: (LetterProbe) -> Double?) -> Double? {
    let known = probes.compactMap(f1)
    return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
  }

  private static func row(_ name: String, _ result: FirstLetterResult) -> [String] {
    let counting = result.probes.count { LetterProbes.counts($0.dense.f1) }
    let scores = [
      Format.decimal(mean(result.probes) { $0.dense.f1 }, 3),
      Format.decimal(mean(result.probes) { $0.features[1]?.f1 }, 3),
      Format.decimal(mean(result.probes) { $0.channels[1]?.f1 }, 3),
    ]
    guard case .measured(_, let absorption) = result else {
      return [name, "\(counting) of 26", "not applicable", "not applicable", "-"] + scores
    }
    return [
      name, "\(counting) of 26", Format.estimate(absorption.fraction.mean), Format.estimate(absorption.full.mean),
      Format.estimate(absorption.splitFeatures, 2),
    ] + scores
  }

  private static func letters(_ name: String, _ result: FirstLetterResult) -> TaskReport.Table {
    func f1(_ scores: DetectionScores?) -> String { Format.decimal(scores?.f1, 2) }
    return TaskReport.Table(
      titles: [name, "words", "F1 dense", "precision", "recall", "1 feature", "2", "5", "1 channel", "2", "5"],
      rows: result.probes.map { probe in
        [
          "\(probe.letter)", "\(probe.testWords)", f1(probe.dense), Format.decimal(probe.dense.precision, 2),
          Format.decimal(probe.dense.recall, 2),
        ] + FirstLetterConstants.sparseProbeSizes.map { f1(probe.features[$0]) }
          + FirstLetterConstants.sparseProbeSizes.map { f1(probe.channels[$0]) }
      }, isDetail: true)
  }

  private func json(_ name: String, _ result: FirstLetterResult) -> JSONValue {
    func scores(_ scores: DetectionScores?) -> JSONValue {
      guard let scores else { return nil }
      return [
        "f1": .optional(scores.f1), "precision": .optional(scores.precision), "recall": .optional(scores.recall),
      ]
    }
    let probes = result.probes.map { probe -> JSONValue in
      [
        "letter": .string("\(probe.letter)"), "train_words": .integer(probe.trainingWords),
        "test_words": .integer(probe.testWords), "dense": scores(probe.dense),
        "features": .object(probe.features.sorted { $0.key < $1.key }.map { ("\($0.key)", scores($0.value)) }),
        "channels": .object(probe.channels.sorted { $0.key < $1.key }.map { ("\($0.key)", scores($0.value)) }),
        "split_features": .array(probe.split.features.map { .integer($0) }),
      ]
    }
    func summary(_ summary: AbsorptionResult.Summary) -> JSONValue {
      [
        "mean": .estimate(summary.mean), "over_words": .estimate(summary.overWords),
        "deviation": .optional(summary.deviation),
      ]
    }
    var members: [(key: String, value: JSONValue)] = [
      ("dictionary", .string(name)), ("letters_needed", .integer(FirstLetterConstants.leastLetters)), ("scaling", .string(scaling.rawValue)),
      ("epochs", .integer(training.epochs)), ("words_per_letter", .integer(run.options.words)),
      ("probes", .array(probes)),
    ]
    guard case .measured(_, let absorption) = result else {
      return .object(members + [("applicable", false)])
    }
    members += [
      ("applicable", true), ("fraction", summary(absorption.fraction)), ("full", summary(absorption.full)),
      ("centred_fraction", summary(absorption.centredFraction)), ("centred_full", summary(absorption.centredFull)),
      ("split_features", .estimate(absorption.splitFeatures)),
      ("letters_without_words", .integer(absorption.lettersWithoutWords)),
    ]
    return .object(members)
  }
}
