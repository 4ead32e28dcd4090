import Dictionaries
import Evaluation
import Gemma
import Sites

/// The tasks that probe labelled texts: one pass of the model over each set serves them all.
struct ProbeTasks {
  let run: TaskRun

  private var tasks: [EvaluationTask] { run.inputs.tasks }

  /// What is collected over the sets.
  private struct Found {
    var rows: [[String]] = []
    var json: [JSONValue] = []
  }

  func reports() throws -> [TaskReport] {
    var found: [EvaluationTask: Found] = [:]
    for set in run.inputs.probeSets {
      let progress = Progress("probe sets", total: set.sequences.count, unit: "texts")
      let pooled = try PooledActivations(
        run.opened.model, dictionaries: run.dictionaries, sequences: set.sequences,
        specialTokens: run.opened.specialTokens, check: Interruption.check
      ) { try progress.advance(by: Double($0)) }
      if tasks.contains(.sparseProbing) { try probe(set, pooled, &found[.sparseProbing, default: Found()]) }
      if tasks.contains(.scr) { try remove(set.texts, pooled, &found[.scr, default: Found()]) }
      if tasks.contains(.tpp) { try perturb(set, pooled, &found[.tpp, default: Found()]) }
    }
    return tasks.compactMap { task in found[task].map { report(task, $0) } }
  }

  // MARK: k-sparse probing

  private func probe(_ set: TaskInputs.ProbeSet, _ pooled: PooledActivations, _ found: inout Found) throws {
    var probing = SparseProbing()
    probing.ks = try run.options.ks()
    probing.pooling = run.options.pool
    probing.seeds = run.seeds
    if run.options.asPublished { probing.selection = .asPublished }
    for label in set.labels {
      for result in try probing.measure(set.texts, label: label, pooled, check: Interruption.check) {
        for mean in result.means {
          found.rows.append([
            "\(result.dictionary)\(site(result.site, result.dictionary))", "\(set.texts.name): \(label)", "\(mean.k)",
            Format.estimate(mean.features.accuracy), Format.estimate(mean.channels.accuracy),
            Format.estimate(result.dense.accuracy), Format.estimate(mean.features.auc),
          ])
        }
        found.json.append(Self.json(result))
      }
    }
  }

  private static func json(_ result: SparseProbingResult) -> JSONValue {
    func figures(_ figures: ProbeFigures) -> JSONValue {
      [
        "accuracy": .estimate(figures.accuracy), "auc": .estimate(figures.auc), "f1": .estimate(figures.f1),
        "accuracy_by_seed": .array(figures.accuracyBySeed.map { .optional($0) }),
      ]
    }
    func sparse(_ list: [SparseProbingResult.Sparse]) -> JSONValue {
      .array(
        list.map {
          [
            "k": .integer($0.k), "figures": figures($0.figures),
            "columns": .array($0.columns.map { .array($0.map { .integer($0) }) }),
          ]
        })
    }
    return [
      "set": .string(result.set), "label": .string(result.label), "dictionary": .string(result.dictionary),
      "site": .string("\(result.site)"), "pooling": .string(result.options.pooling.rawValue),
      "selection": .string(result.options.selection.rawValue), "dense": figures(result.dense),
      "means": .array(
        result.means.map {
          ["k": .integer($0.k), "features": figures($0.features), "channels": figures($0.channels)]
        }),
      "classes": .array(
        result.classes.map {
          [
            "name": .string($0.name), "train_texts": .integer($0.trainTexts), "test_texts": .integer($0.testTexts),
            "features": sparse($0.features), "channels": sparse($0.channels), "dense": figures($0.dense),
            "dense_c": .array($0.denseC.map { .double($0) }),
          ]
        }),
    ]
  }

  // MARK: SCR and TPP

  private func remove(_ texts: LabelledTexts, _ pooled: PooledActivations, _ found: inout Found) throws {
    let concepts = try run.options.concepts()
    var removal = SpuriousCorrelation()
    removal.pooling = run.options.pool
    removal.seeds = run.seeds
    for (index, dictionary) in run.dictionaries.enumerated() {
      for write in dictionary.shape.writes.indices {
        let result = try removal.measure(
          texts, concepts[0], concepts[1], pooled, dictionary: index, write: write, check: Interruption.check)
        for (way, direction) in result.directions.enumerated() {
          let name = "\(dictionary.name)\(site(result.site, dictionary.name))"
          for (point, channels) in zip(direction.features, direction.channels) {
            found.rows.append([
              name, "\(texts.name): \(direction.kept.label)\(way == result.reported ? " *" : "")", "\(point.count)",
              Format.estimate(point.score, 2), Format.estimate(channels.score, 2),
              Format.estimate(direction.projection.score, 2), Format.estimate(direction.confounded),
              Format.estimate(direction.clean), direction.undefined ?? "",
            ])
          }
        }
        found.json.append(Self.json(result))
      }
    }
  }

  private static func json(_ result: SpuriousCorrelationResult) -> JSONValue {
    func concept(_ concept: Concept) -> JSONValue {
      ["label": .string(concept.label), "positive": .string(concept.positive), "negative": .string(concept.negative)]
    }
    func point(_ point: SpuriousCorrelationResult.Point) -> JSONValue {
      [
        "n": .integer(point.count), "removed": .array(point.removed.map { .integer($0) }),
        "accuracy": .estimate(point.accuracy), "score": .estimate(point.score),
      ]
    }
    return [
      "set": .string(result.set), "dictionary": .string(result.dictionary), "site": .string("\(result.site)"),
      "train_texts": .integer(result.trainTexts), "test_texts": .integer(result.testTexts),
      "reported": .integer(result.reported),
      "directions": .array(
        result.directions.map {
          [
            "kept": concept($0.kept), "removed": concept($0.removed), "clean_accuracy": .estimate($0.clean),
            "confounded_accuracy": .estimate($0.confounded), "undefined": .optional($0.undefined),
            "features": .array($0.features.map(point)), "channels": .array($0.channels.map(point)),
            "projection": point($0.projection),
          ]
        }),
    ]
  }

  private func perturb(_ set: TaskInputs.ProbeSet, _ pooled: PooledActivations, _ found: inout Found) throws {
    var perturbation = TargetedPerturbation()
    perturbation.pooling = run.options.pool
    perturbation.seeds = run.seeds
    // A label of two classes has nothing that could be harmed besides.
    for label in try TaskInputs.manyClassed(set) {
      for (index, dictionary) in run.dictionaries.enumerated() {
        for write in dictionary.shape.writes.indices {
          let result = try perturbation.measure(
            set.texts, label: label, pooled, dictionary: index, write: write, check: Interruption.check)
          for (point, channels) in zip(result.features, result.channels) {
            found.rows.append([
              "\(dictionary.name)\(site(result.site, dictionary.name))", "\(set.texts.name): \(label)",
              "\(point.count)",
              Format.estimate(point.mean.score), Format.estimate(point.mean.intended),
              Format.estimate(point.mean.unintended), Format.estimate(channels.mean.score),
              Format.estimate(result.projection.mean.score),
            ])
          }
          found.json.append(Self.json(result))
        }
      }
    }
  }

  private static func json(_ result: TargetedPerturbationResult) -> JSONValue {
    func loss(_ loss: TargetedPerturbationResult.Loss) -> JSONValue {
      ["score": .estimate(loss.score), "intended": .estimate(loss.intended), "unintended": .estimate(loss.unintended)]
    }
    func point(_ point: TargetedPerturbationResult.Point) -> [(key: String, value: JSONValue)] {
      [("n", .integer(point.count)), ("mean", loss(point.mean)), ("classes", .array(point.classes.map(loss)))]
    }
    let features = zip(result.features, result.removed).map { features, removed -> JSONValue in
      let byClass = removed.map { JSONValue.array($0.map { .integer($0) }) }
      return .object(point(features) + [("removed", .array(byClass))])
    }
    return [
      "set": .string(result.set), "label": .string(result.label), "dictionary": .string(result.dictionary),
      "site": .string("\(result.site)"), "classes": .array(result.classes.map { .string($0) }),
      "clean_accuracy": .array(result.clean.map { .estimate($0) }), "features": .array(features),
      "channels": .array(result.channels.map { .object(point($0)) }),
      "projection": .object(point(result.projection)),
    ]
  }

  // MARK: Reports

  private func report(_ task: EvaluationTask, _ found: Found) -> TaskReport {
    let (title, notes, titles): (String, [String], [String]) =
      switch task {
      case .sparseProbing:
        (
          "k-sparse probing", ["Accuracy of a probe on k features, on k channels of the activation, and on all of it."],
          ["dictionary", "label", "k", "features", "channels", "dense", "AUC of features"]
        )
      case .scr:
        (
          "Spurious correlation removal",
          [
            "Share of the accuracy that confounding cost which comes back when N features of the other concept are ablated;"
              + " * marks what SAEBench reports. Scores of large N may rank dictionaries the wrong way round (arXiv 2605.18229)."
          ],
          [
            "dictionary", "kept", "N", "features", "channels", "projection", "confounded accuracy", "clean accuracy",
            "no score because",
          ]
        )
      default:
        (
          "Targeted probe perturbation",
          [
            "Accuracy that a class's probe loses when N features of the class are ablated, less what the others lose. "
              + "Longer training may lower it (arXiv 2605.18229)."
          ],
          ["dictionary", "label", "N", "features", "intended", "unintended", "channels", "projection"]
        )
      }
    return TaskReport(
      task: task, title: title, notes: notes, tables: [.init(titles: titles, rows: found.rows)],
      json: .array(found.json))
  }

  /// The site, for a dictionary of several.
  private func site(_ site: Site, _ name: String) -> String {
    let dictionary = run.dictionaries.first { $0.name == name }
    return dictionary?.shape.isMultiLayer == true ? " at \(site)" : ""
  }
}
