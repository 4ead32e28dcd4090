import Dictionaries
import Evaluation
import Gemma
import Sites

/// First-letter probes, splitting and absorption.
struct FirstLetterReport {
  let run: TaskRun

  var settings: FirstLetterSettings { run.options.letterSettings }

  func report() throws -> TaskReport {
    guard let prompts = run.inputs.letters else { throw EvaluationError.missing(what: "words of first letters") }
    let fitting = run.dictionaries.filter { !$0.shape.isMultiLayer }
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
          activations, site: site, scaling: settings.scaling, options: settings.dense, seed: 0,
          check: Interruption.check)
      probes[site] = dense
      let result = try FirstLetterTask.measure(
        dictionary, activations, probes: dense, sparse: settings.sparse(words: activations.training.count), seed: 0,
        check: Interruption.check)
      rows.append(Self.row(dictionary.name, result))
      tables.append(Self.letters(dictionary.name, result))
      json.append(self.json(dictionary.name, result, words: activations.training.count))
    }
    let summary = TaskReport.Table(
      titles: [
        "dictionary", "letters shown", "absorbed, share", "fully absorbed", "features a letter",
        "F1 dense", "F1 of 1 feature", "of 1 channel", "decoder rows",
      ], rows: rows)
    return TaskReport(
      task: .absorption, title: "First letters: absorption and splitting",
      notes: notes + [
        "Absorption can be asked for where a dense probe finds \(FirstLetterConstants.leastLetters) letters or more with "
          + "an F1 above \(FirstLetterConstants.leastF1): these are shown. Elsewhere it is not "
          + "applicable, and the probes' scores are what there is."
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
      return [name, "\(counting) of 26", "-", "-", "-"] + scores + ["-"]
    }
    return [
      name, "\(counting) of 26", Format.estimate(absorption.fraction.mean), Format.estimate(absorption.full.mean),
      Format.estimate(absorption.splitFeatures, 2),
    ] + scores + [
      absorption.decoderNorms.map { "\(Format.short($0.lowerBound)) – \(Format.short($0.upperBound))" } ?? "-"
    ]
  }

  private static func letters(_ name: String, _ result: FirstLetterResult) -> TaskReport.Table {
    func f1(_ scores: DetectionScores?) -> String { Format.decimal(scores?.f1, 2) }
    return TaskReport.Table(
      titles: [name, "words", "F1 dense", "precision", "recall", "AUC", "1 feature", "2", "5", "1 channel", "2", "5"],
      rows: result.probes.map { probe in
        [
          "\(probe.letter)", "\(probe.testWords)", f1(probe.dense), Format.decimal(probe.dense.precision, 2),
          Format.decimal(probe.dense.recall, 2), Format.decimal(probe.dense.area, 3),
        ] + FirstLetterConstants.sparseProbeSizes.map { f1(probe.features[$0]) }
          + FirstLetterConstants.sparseProbeSizes.map { f1(probe.channels[$0]) }
      }, isDetail: true)
  }
}
