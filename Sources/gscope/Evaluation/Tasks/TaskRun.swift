import Dictionaries
import Evaluation
import Foundation
import Gemma

/// Runs the benchmark tasks.
struct TaskRun {
  let opened: OpenedModel
  let dictionaries: [SparseDictionary]
  let options: EvaluationTaskOptions
  let inputs: TaskInputs
  /// Texts to measure on, and how often features fired on them.
  let sequences: [[Int32]]
  let densities: [FeatureDensity]

  /// Runs them in turn.
  /// - Parameter found: gets what each found as soon as it has ended, so that no later one can take it along.
  func run(_ found: (TaskReport) throws -> Void) throws {
    let tasks = inputs.tasks
    if tasks.contains(where: \.readsProbeSets) { try ProbeTasks(run: self).reports().forEach(found) }
    if tasks.contains(.absorption) { try found(FirstLetterReport(run: self).report()) }
    let structure = StructureTasks(run: self)
    if tasks.contains(.nesting) { try found(structure.nesting()) }
    if tasks.contains(.splitting) { try found(structure.splitting()) }
    if tasks.contains(.consistency) { try found(structure.consistency()) }
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
