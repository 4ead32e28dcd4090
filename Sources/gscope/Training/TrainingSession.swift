import Activations
import Checkpoints
import Collectives
import Dictionaries
import Evaluation
import Foundation
import Gemma
import Logging
import Sites
import Tensors
import Training

/// One run of training from text to measured dictionaries, as `gscope train` and `gscope suite build` do it.
struct TrainingSession {
  /// A dictionary to make.
  struct Item {
    let name: String
    let recipe: Recipe
    let folder: URL
  }

  let opened: OpenedModel
  let options: TrainingOptions
  let items: [Item]
  /// Whether what is left is the compact form.
  let isCompact: Bool
  /// The recipe's file, for errors and for paths in it.
  let recipeURL: URL
  let ranks: any Communicator

  /// Trains, measures and writes all dictionaries. Nil on ranks other than the root.
  /// - Parameter conclude: writes what is left to write, on the root. A run that is killed before it has done so goes on
  ///   from its checkpoint.
  func run(conclude: ([TrainedDictionary]) throws -> Void = { _ in }) throws -> [TrainedDictionary]? {
    let view = TrainingView()
    let texts = try ranks.together { try TrainingTexts(options) }
    let weights = try ranks.fromRoot { try opened.weightHash() }
    let store = try ranks.together { try openStore(weights: weights) }
    let source = try ranks.together { try self.source(texts, store, view: view) }
    let jobs = try ranks.together { try items.map(job) }
    try ranks.together { try checkMemory(jobs) }
    let identity = try ranks.fromRoot {
      if let warning = try texts.overlap(with: store) { Diagnostics.log.warning("\(warning)") }
      return RunIdentity(
        version: Gscope.version, modelName: opened.name, modelSHA256: weights,
        corpus: options.store ?? options.corpus.joined(separator: " "),
        corpusSHA256: try store?.settings.corpusSHA256 ?? texts.training?.sha256(check: Interruption.check) ?? "",
        storeSHA256: try store?.digest ?? "")
    }
    let run = try TrainingRun(
      jobs, source: source, folder: options.folder, identity: identity, backend: opened.backend,
      options: options.runOptions, resumes: options.resume, communicator: ranks)
    if ranks.isRoot {
      for folder in [options.folder, plots] + items.map(\.folder) { AtomicFile.removeLeftovers(in: folder) }
    }
    for item in items {
      if let warning = item.recipe.tooShort { Diagnostics.log.warning("\(item.name): \(warning)") }
    }
    if run.steps.done > 0 { Diagnostics.message("going on after step \(run.steps.done) of \(run.steps.total)") }
    try train(run, view: view)
    if ranks.isRoot {
      let (source, training) = run.seconds
      Diagnostics.message(
        "the steps took \(Format.duration(training)), \(options.store == nil ? "the model's pass" : "reading") "
          + Format.duration(source))
    }
    let trained = try TrainingResults(session: self, run: run, texts: texts).write()
    try ranks.together {
      guard let trained else { return }
      if options.plot { try Self.plot(items, in: options.folder) }
      try conclude(trained)
    }
    run.finish()
    return trained
  }

  private var plots: URL { Self.plots(in: options.folder) }
  private static func plots(in folder: URL) -> URL { folder.appending(path: "plots") }

  /// Draws the curves of dictionaries into the folder `plots` of a run's.
  static func plot(_ items: [Item], in folder: URL) throws {
    try TrainingPlots(items.map { ($0.name, $0.folder.appending(path: "metrics.jsonl")) }).write(to: plots(in: folder))
  }

  private func train(_ run: TrainingRun, view: TrainingView) throws {
    do {
      try run.train(check: { try Ranks.check(ranks) }, report: { if ranks.isRoot { view.show($0) } })
    } catch let error as CommandError {
      if case .interrupted = error {
        let (done, total) = run.steps
        Diagnostics.message(
          done > 0 ? "stopped after step \(done) of \(total); --resume goes on there" : "stopped before the first step")
      }
      throw error
    }
  }

  private func job(_ item: Item) throws -> TrainingJob {
    let shape = try item.recipe.shape(on: opened.model.shape, file: recipeURL.path)
    return TrainingJob(
      name: item.name, recipe: item.recipe, shape: shape, folder: item.folder, start: try start(item.recipe, shape))
  }

  /// The dictionary that a recipe goes on from, one put together from those of single layers, or nil.
  private func start(_ recipe: Recipe, _ shape: DictionaryShape) throws -> DictionaryParameters? {
    let dictionaries = try recipe.start.map { path in
      let url = URL(filePath: path, relativeTo: recipeURL.deletingLastPathComponent())
      return try DictionaryParameters(SparseDictionary(contentsOf: url, backend: opened.backend))
    }
    guard let first = dictionaries.first else { return nil }
    if dictionaries.count > 1 { return try CombinedStart(dictionaries, shape: shape).parameters }
    guard first.shape == shape else {
      throw RecipeError.value(path: recipeURL.path, key: "start", reason: "is \(first.shape); expected \(shape)")
    }
    return first
  }

  /// What is trained on. All recipes of a session agree on how it is made.
  private func source(
    _ texts: TrainingTexts, _ store: ActivationStore?, view: TrainingView
  ) throws -> any ActivationSource {
    let recipe = items[0].recipe
    let sites = Set(items.flatMap(\.recipe.sites)).sorted()
    let window = WindowOptions(rows: recipe.window, seed: UInt64(recipe.seed))
    if recipe.endToEnd != nil { return try sequenceSource(texts, recipe) }
    if let store {
      return try StoreActivationSource(store, sites: sites, window: window, communicator: ranks)
    }
    return try modelSource(texts, sites: sites, window: window) {
      view.waiting("the model reads the next \(Format.grouped(recipe.window)) tokens …")
    }
  }

  private func modelSource(
    _ texts: TrainingTexts, sites: [Site], window: WindowOptions, waiting: @escaping () -> Void = {}
  ) throws -> ModelActivationSource {
    guard let corpus = texts.training else { throw CommandError.usage("Missing --corpus PATH (or --store DIR).") }
    for site in sites { try opened.model.shape.validate(site) }
    let filter = try items[0].recipe.normFilter.flatMap { factor in
      try outliers().site.map { HarvestOptions.NormFilter(site: $0, factor: factor) }
    }
    return try ModelActivationSource(
      opened.model, tokenizer: opened.tokenizer.required(), corpus: corpus, sites: sites,
      options: HarvestOptions(packing: packing, normFilter: filter), window: window, communicator: ranks
    ) {
      try Interruption.check()
      waiting()
    }
  }

  private var packing: PackingOptions {
    PackingOptions(context: min(items[0].recipe.context, opened.configuration.maximumPositions))
  }

  /// End to end: whole sequences, about as many tokens a step as the recipe's batch.
  private func sequenceSource(_ texts: TrainingTexts, _ recipe: Recipe) throws -> SequenceSource {
    guard options.store == nil, let corpus = texts.training else {
      throw RecipeError.value(
        path: recipeURL.path, key: "end_to_end",
        reason: "needs whole sequences of text: give --corpus, not --store, which has activations one by one")
    }
    guard ranks.count == 1 else {
      throw RecipeError.value(
        path: recipeURL.path, key: "end_to_end", reason: "runs in one process, here there are \(ranks.count) ranks")
    }
    return try SequenceSource(
      opened.model, tokenizer: opened.tokenizer.required(), corpus: corpus,
      shape: recipe.shape(on: opened.model.shape, file: recipeURL.path), packing: packing,
      sequences: max(1, recipe.batch / packing.context), check: Interruption.check)
  }

  /// Training activations on which to see what features do: the last window, or where windows are single batches, as
  /// many tokens from the beginning of the corpus.
  func activityWindow(_ run: TrainingRun, _ texts: TrainingTexts, rows: Int) throws -> ActivationWindow? {
    guard items[0].recipe.endToEnd != nil else { return try run.lastWindow() }
    let window = WindowOptions(rows: min(rows, items[0].recipe.tokens))
    return try modelSource(texts, sites: run.sites, window: window).nextWindow()
  }

  /// Where, and beyond how many times the median, tokens are outliers in norm: by the first residual stream, else the
  /// first site. Training leaves them out when the recipe says so; cards tell of the others' figures in any case.
  func outliers() throws -> OutlierRule {
    let sites = Set(items.flatMap(\.recipe.sites)).sorted()
    guard let site = sites.first(where: { $0.kind == .residPost }) ?? sites.first else {
      throw RecipeError.value(path: recipeURL.path, key: "reads", reason: "names no site")
    }
    return OutlierRule(factor: items[0].recipe.normFilter ?? OutlierRule.usualFactor, site: site)
  }
}

/// A dictionary that a session made.
struct TrainedDictionary {
  let item: TrainingSession.Item
  let shape: DictionaryShape
  let card: MeasuredCard
  /// FVU before the compact form, where that is what was written.
  let plainFVU: Double?
}
