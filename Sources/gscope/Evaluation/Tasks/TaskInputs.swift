import Dictionaries
import Evaluation
import Foundation

/// What the benchmark tasks read, opened and checked before the model runs: a mistake in it must not cost the figures of
/// an hour.
struct TaskInputs {
  /// Labelled texts with their tokens.
  struct ProbeSet {
    let texts: LabelledTexts
    let sequences: [[Int32]]
    /// Labels to take.
    let labels: [String]
  }

  let tasks: [EvaluationTask]
  let probeSets: [ProbeSet]
  /// For first letters; nil where they are not asked for.
  let letters: LetterPrompts?

  /// - Throws: `CommandError.usage` for numbers that a dictionary is too narrow for, `EvaluationError` for texts, labels
  ///   or concepts that do not do, `CommandError.model` for a model without a tokenizer where one is needed.
  init(_ options: EvaluationTaskOptions, opened: OpenedModel, dictionaries: [SparseDictionary]) throws {
    tasks = try options.tasks()
    if tasks.contains(.sparseProbing) {
      for dictionary in dictionaries {
        try Self.check(options.ks(), fit: dictionary, "--k")
      }
    }
    if tasks.contains(.nesting) || tasks.contains(.splitting) {
      for dictionary in dictionaries { _ = try options.prefixes(of: dictionary) }
    }
    probeSets =
      try tasks.contains(where: \.readsProbeSets)
      ? options.probes.map { try Self.probeSet($0, options, opened: opened) } : []
    if tasks.contains(.tpp), options.label.isEmpty {
      guard try probeSets.contains(where: { try !Self.manyClassed($0).isEmpty }) else {
        throw CommandError.input(source: "--task tpp", reason: "no label of the probe sets has three classes or more")
      }
    }
    guard tasks.contains(.absorption) else {
      letters = nil
      return
    }
    let tokenizer = try opened.tokenizer.required()
    letters = try LetterPrompts(
      LetterWords(tokenizer, perLetter: options.words, seed: 0), tokenizer: tokenizer, seed: 0)
  }

  /// The labels of a set with three classes or more: of two classes, one is the other's rest.
  static func manyClassed(_ set: ProbeSet) throws -> [String] {
    try set.labels.filter { try set.texts.classes(of: $0).count > 2 }
  }

  static func check(_ numbers: [Int], fit dictionary: SparseDictionary, _ flag: String) throws {
    let width = dictionary.shape.width
    if let outside = numbers.first(where: { $0 > width }) {
      throw CommandError.usage("\(flag): \(dictionary.name) has \(width) features, fewer than \(outside)")
    }
  }

  private static func probeSet(
    _ path: String, _ options: EvaluationTaskOptions, opened: OpenedModel
  ) throws -> ProbeSet {
    let texts = try LabelledTexts(contentsOf: URL(filePath: path))
    let labels = options.label.isEmpty ? texts.labels : options.label
    let tasks = try options.tasks()
    for label in labels {
      let classes = try texts.classes(of: label)
      if tasks.contains(.sparseProbing) {
        _ = try ProbeTask.oneVersusRest(texts, label: label, class: classes[0], seed: 0)
      }
      if tasks.contains(.tpp), !options.label.isEmpty, classes.count < 3 {
        throw EvaluationError.texts(
          path: path, reason: "label '\(label)' has \(classes.count) classes, and --task tpp needs three or more")
      }
    }
    if tasks.contains(.scr) {
      // Every draw takes as many texts of each quadrant: if one can be made, all can.
      let concepts = try options.concepts()
      _ = try ConceptDraw(texts, concepts[0], concepts[1], seed: 0)
    }
    let sequences = try texts.sequences(opened.tokenizer.required())
    if let empty = sequences.firstIndex(where: { $0.allSatisfy(opened.isSpecial) }) {
      throw EvaluationError.texts(path: path, reason: "text '\(texts.texts[empty].id)' holds no token that counts")
    }
    return ProbeSet(texts: texts, sequences: sequences, labels: labels)
  }
}
