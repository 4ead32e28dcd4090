import ArgumentParser
import Dictionaries
import Evaluation
import Foundation

/// A benchmark task of `gscope evaluate`.
enum EvaluationTask: String, CaseIterable, Sendable {
  case sparseProbing = "sparse-probing"
  case scr, tpp, absorption, nesting, splitting, consistency

  var readsProbeSets: Bool { [.sparseProbing, .scr, .tpp].contains(self) }
}

/// What the benchmark tasks need besides the dictionaries.
struct EvaluationTaskOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Benchmark tasks, with commas between or repeated: sparse-probing, scr, tpp, absorption, nesting, splitting, \
      consistency.
      """, valueName: "task"))
  var task: [String] = []

  @Option(
    help: ArgumentHelp(
      "Labelled texts for sparse-probing, scr and tpp, repeatable: JSONL or gzip of it, {\"id\",\"text\",\"labels\":{…}}.",
      valueName: "file"),
    completion: .file())
  var probes: [String] = []

  @Option(help: ArgumentHelp("Labels of these texts to take; all without. Repeatable.", valueName: "label"))
  var label: [String] = []

  @Option(
    help: ArgumentHelp(
      "For scr, twice: two concepts that may coincide, as profession=nurse/teacher and gender=female/male.",
      valueName: "concept"))
  var concept: [String] = []

  @Option(
    help: ArgumentHelp("What of a text's activations is probed: their mean, or the last one.", valueName: "what"),
    transform: { try Choice.parse($0, "--pool") })
  var pool = Pooling.mean

  @Option(help: ArgumentHelp("For sparse-probing, the numbers of features, with commas between.", valueName: "k,…"))
  var k = "1,2,5"

  @Flag(
    help: """
      Rank features and train letter probes with SAEBench's settings, in place of our own, better conditioned ones \
      (docs/metrics.md).
      """)
  var asPublished = false

  @Option(
    help: ArgumentHelp(
      """
      For absorption, what becomes of activations before probes read them: none, unit or centred; centred when nothing \
      is said, none with --as-published.
      """, valueName: "what"),
    transform: { try Choice.parse($0, "--letter-scaling") })
  var letterScaling: LetterProbes.Scaling?

  @Option(help: ArgumentHelp("For absorption, words of each letter.", valueName: "n")) var words = 300

  @Option(
    help: ArgumentHelp(
      "For nesting and splitting, numbers of first features, with commas between; a sixteenth and a quarter without.",
      valueName: "n,…"))
  var prefixes: String?

  @Option(help: ArgumentHelp("Draws of texts or orders that figures are means over.", valueName: "n")) var draws = 3

  /// The tasks asked for, each once.
  func tasks() throws -> [EvaluationTask] {
    let names = task.flatMap { $0.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } }
    let tasks: [EvaluationTask] = try names.map { try Choice.parse($0, "--task") }
    return EvaluationTask.allCases.filter(tasks.contains)
  }

  func ks() throws -> [Int] { try Self.numbers(k, "--k") }

  /// Numbers of first features of a dictionary, ascending.
  /// - Throws: `CommandError.usage` for one that it is too narrow for.
  func prefixes(of dictionary: SparseDictionary) throws -> [Int] {
    let width = dictionary.shape.width
    let asked = try prefixSizes() ?? [max(width / 16, 1), max(width / 4, 1)]
    try TaskInputs.check(asked, fit: dictionary, "--prefixes")
    return Set(asked).sorted()
  }

  private func prefixSizes() throws -> [Int]? { try prefixes.map { try Self.numbers($0, "--prefixes") } }

  /// How first-letter probes are trained.
  var letterSettings: FirstLetterSettings {
    var settings = asPublished ? FirstLetterSettings.published : .usual
    if let letterScaling { settings.scaling = letterScaling }
    return settings
  }

  /// - Throws: `ValidationError` for what cannot be meant.
  func check() throws {
    let tasks = try tasks()
    _ = try (ks(), prefixSizes(), concepts())
    if let task = tasks.first(where: \.readsProbeSets), probes.isEmpty {
      throw ValidationError("--task \(task.rawValue) needs --probes FILE; the project's own sets are in probes/.")
    }
    if tasks.contains(.scr), concept.count != 2 {
      throw ValidationError("--task scr needs --concept twice, as in --concept gender=female/male.")
    }
    if words < 1 { throw ValidationError("--words is \(words); expected 1 or more.") }
    if !(1...100 ~= draws) { throw ValidationError("--draws is \(draws); expected 1 to 100.") }
  }

  /// `LABEL=POSITIVE/NEGATIVE`, for each `--concept`.
  func concepts() throws -> [Concept] {
    try concept.map { text in
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      let classes = parts.last?.split(separator: "/").map(String.init) ?? []
      guard parts.count == 2, classes.count == 2, classes[0] != classes[1] else {
        throw ValidationError("--concept is '\(text)'; expected LABEL=CLASS/CLASS, as in gender=female/male.")
      }
      return Concept(parts[0], positive: classes[0], negative: classes[1])
    }
  }

  private static func numbers(_ text: String, _ flag: String) throws -> [Int] {
    let numbers = text.split(separator: ",").map { Int($0.trimmingCharacters(in: .whitespaces)) }
    let known = numbers.compactMap { $0 }
    guard !known.isEmpty, known.count == numbers.count, known.allSatisfy({ $0 > 0 }) else {
      throw ValidationError("\(flag) is '\(text)'; expected numbers from 1 with commas between.")
    }
    return known
  }
}
