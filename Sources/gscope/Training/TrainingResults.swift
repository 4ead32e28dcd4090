import Activations
import Checkpoints
import Collectives
import Dictionaries
import Foundation
import Tensors
import Training

/// Writes what a run has trained, measures it on held-out text, and writes the cards.
struct TrainingResults {
  let session: TrainingSession
  let run: TrainingRun
  let texts: TrainingTexts

  /// Rows of the last window on which the largest activations are looked for.
  private static let activityRows = 65_536

  /// All ranks call it; nil on others than the root, which wait for it.
  func write() throws -> [TrainedDictionary]? {
    let results = try run.results()
    let window = try session.activityWindow(run, texts, rows: Self.activityRows)
    return try session.ranks.together { session.ranks.isRoot ? try write(results, window) : nil }
  }

  private func write(_ results: [TrainingRun.Result], _ window: ActivationWindow?) throws -> [TrainedDictionary] {
    let plain = run.folder.appending(path: "checkpoint/plain")
    for result in results {
      if session.isCompact {
        try result.parameters.write(to: plain.appending(path: result.job.name), replacing: true)
        let means = try inputs(result, window).map(mean)
        try result.parameters.writeCompact(
          to: result.job.folder, inputMeans: means.isEmpty ? nil : means, replacing: true)
      } else {
        try result.parameters.write(to: result.job.folder, replacing: true)
      }
    }
    let backend = session.opened.backend
    let dictionaries = try results.map {
      try SparseDictionary(contentsOf: $0.job.folder, name: $0.job.name, backend: backend)
    }
    let sequences = try CorpusSequences.cut(
      texts.heldOut, context: session.items[0].recipe.context, limit: session.options.heldoutTokens,
      opened: session.opened, flag: "--heldout")
    var cards = try MeasuredCard.measure(
      dictionaries, on: sequences, opened: session.opened, lossTokens: session.options.lossTokens,
      outliers: session.outliers())
    let plainCards =
      session.isCompact
      ? try MeasuredCard.measure(
        results.map { try SparseDictionary(contentsOf: plain.appending(path: $0.job.name), backend: backend) },
        on: sequences, opened: session.opened, lossTokens: 0, outliers: session.outliers())
      : []
    let heldOutHash = try texts.heldOut?.sha256(check: Interruption.check)
    var trained: [TrainedDictionary] = []
    for (index, result) in results.enumerated() {
      let activity = try FeatureActivity(
        dictionaries[index], inputs: inputs(result, window), limit: Self.activityRows)
      cards[index].deadInTraining = activity.dead
      let fvu = plainCards.isEmpty ? nil : plainCards[index].fvu
      trained.append(
        TrainedDictionary(
          item: session.items[index], shape: dictionaries[index].shape, card: cards[index], plainFVU: fvu))
      try AtomicFile.write(
        Data(try text(result, cards[index], activity, plainFVU: fvu, heldOutHash).utf8),
        to: result.job.folder.appending(path: "training.json"))
    }
    return trained
  }

  /// The last window's activations at what a dictionary reads.
  private func inputs(_ result: TrainingRun.Result, _ window: ActivationWindow?) throws -> [Tensor] {
    guard let window else { return [] }
    return result.job.shape.reads.compactMap { site in
      run.sites.firstIndex(of: site).map { window.tensors[$0] }
    }
  }

  private func mean(_ x: Tensor) throws -> [Float] {
    let rows = min(x.rows, Self.activityRows)
    var sums = [Double](repeating: 0, count: x.rowLength)
    for start in stride(from: 0, to: rows, by: 4096) {
      let values = try x.rows(start..<min(start + 4096, rows)).read()
      for i in values.indices { sums[i % sums.count] += Double(values[i]) }
    }
    return sums.map { Float($0 / Double(max(rows, 1))) }
  }

  /// `training.json`.
  private func text(
    _ result: TrainingRun.Result, _ card: MeasuredCard, _ activity: FeatureActivity, plainFVU: Double?,
    _ heldOutHash: String?
  ) throws -> String {
    var members = card.members
    if let plainFVU { members.append(("fvu_fp32", .double(plainFVU))) }
    members.append(("heldout", .string(texts.heldOutName)))
    if let heldOutHash { members.append(("heldout_sha256", .string(heldOutHash))) }
    let identity = run.identity
    var facts: [(String, JSONValue)] = [
      ("gscope", .string(identity.version)), ("build", .string(BuildFacts.text)),
      ("model_name", .string(identity.modelName)), ("model_sha256", .string(identity.modelSHA256)),
      ("corpus", .string(identity.corpus)), ("corpus_sha256", .string(identity.corpusSHA256)),
    ]
    if let store = identity.storeSHA256, !store.isEmpty { facts.append(("store_sha256", .string(store))) }
    facts += [
      ("backend", .string(session.opened.backend.name)), ("steps", .integer(result.steps)),
      ("activations", .integer(result.tokens)),
      // How often the same activations came back: within a window, and by beginning the corpus again.
      ("repeats_in_window", .integer(result.job.recipe.repeats)), ("corpus_passes", .integer(run.passes + 1)),
      ("input_scales", .array(result.normalisation.inputs.map { .float($0) })),
      ("target_scales", .array(result.normalisation.targets.map { .float($0) })),
    ]
    let lists = activity.maxima.map { JSONValue.array($0.map { .float($0) }) }
    let maxima = result.job.shape.isMultiLayer ? JSONValue.array(lists) : lists[0]
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let recipe = String(decoding: try encoder.encode(result.job.recipe), as: UTF8.self)
    return """
      {
      "schema":1,
      "card":\(JSONValue.object(members).text),
      "recipe":\(recipe),
      "run":\(JSONValue.object(facts).text),
      "max_activations":\(maxima.text)
      }

      """
  }
}
