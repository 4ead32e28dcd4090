import Dictionaries
import Evaluation
import Foundation
import Gemma

/// Runs the benchmark tasks.
struct TaskRun {
  let opened: OpenedModel
  let dictionaries: [SparseDictionary]
  let options: EvaluationTaskOptions
  /// Texts to measure on, and how often features fired on them.
  let sequences: [[Int32]]
  let densities: [FeatureDensity]

  func run() throws -> [TaskReport] {
    let tasks = try options.tasks()
    var reports: [TaskReport] = []
    if tasks.contains(where: \.readsProbeSets) { reports += try ProbeTasks(run: self, tasks: tasks).reports() }
    if tasks.contains(.absorption) { reports.append(try FirstLetterReport(run: self).report()) }
    let structure = StructureTasks(run: self)
    if tasks.contains(.nesting) { reports.append(try structure.nesting()) }
    if tasks.contains(.splitting) { reports.append(try structure.splitting()) }
    if tasks.contains(.consistency) { reports.append(try structure.consistency()) }
    return reports
  }

  /// Seeds of the draws.
  var seeds: [UInt64] { (0..<UInt64(options.draws)).map { $0 } }

  /// Codes of each sequence by some dictionaries, one sequence at a time.
  func eachSequence(
    of indices: [Int], _ what: String,
    _ body: (_ codes: [DictionaryCode], _ activations: CapturedActivations, _ rows: [Int]) throws -> Void
  ) throws {
    let chosen = indices.map { dictionaries[$0] }
    let sites = Set(chosen.flatMap { $0.shape.reads + $0.shape.writes })
    let progress = Progress(what, total: sequences.reduce(0) { $0 + $1.count }, unit: "tokens")
    for ids in sequences {
      let rows = ids.indices.filter { !opened.isSpecial(ids[$0]) }
      let found = try opened.model.forward([ids], capture: sites, logits: .none, check: Interruption.check)
      let activations = CapturedActivations(found.activations)
      try body(chosen.map { try $0.encode(activations.at($0.shape.reads)) }, activations, rows)
      try progress.advance(by: Double(ids.count))
    }
  }
}
