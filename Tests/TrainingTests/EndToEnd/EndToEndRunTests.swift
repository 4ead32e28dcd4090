import Activations
import Dictionaries
import Foundation
import Gemma
import Sites
import Tensors
import TestSupport
import Testing
import Tokenization
import Training

/// Whole runs end to end, on the tiny model.
@Suite struct EndToEndRunTests {
  private struct Stop: Error {}

  private static let recipe = """
    {"schema":1,"reads":"resid_post.2","width":48,"l0":6,"objective":"batchtopk","batch":48,"context":24,"tokens":1920,
    "learning_rate":0.003,"adam":{"beta1":0.9},"schedule":{"warmup":{"share":0.1}},"matryoshka":{"prefixes":[16]},
    "start":"start","end_to_end":{"beta":4}}
    """

  private let model: GemmaModel
  private let tokenizer: GemmaTokenizer
  private let corpus: Corpus
  private let texts: TemporaryDirectory
  private let recipe: Recipe
  private let shape: DictionaryShape

  init() throws {
    let folder = Fixtures.url("gemma/causal")
    model = try GemmaModel(contentsOf: folder, backend: NativeBackend(threads: 2))
    tokenizer = try GemmaTokenizer(contentsOf: folder)
    texts = try TemporaryDirectory()
    var random = SeededRandom(seed: 3)
    let letters = Array("abcdefghij kl mno")
    let lines = (0..<30).map { _ in
      "{\"text\":\"\(String((0..<90).map { _ in letters[random.int(0...letters.count - 1)] }))\"}\n"
    }
    corpus = try Corpus([texts.write(Array(lines.joined().utf8), as: "texts.jsonl")])
    recipe = try Recipe(json: Array(Self.recipe.utf8), file: "r.json")
    shape = try recipe.shape(on: model.shape, file: "r.json")
  }

  private func source(check: @escaping () throws -> Void = {}) throws -> SequenceSource {
    try SequenceSource(
      model, tokenizer: tokenizer, corpus: corpus, shape: shape, packing: PackingOptions(context: 24), sequences: 2,
      check: check)
  }

  private func run(_ folder: URL, _ source: any ActivationSource, resumes: Bool = false) throws -> TrainingRun {
    let scales = Normalisation(inputs: [6], targets: [6])
    let start = try TrainingState(
      shape: TrainingShape(shape), objective: TrainingObjective(activation: .topK), normalisation: scales,
      backend: model.backend)
    try start.initialise(Initialisation(seed: 1, encoder: .decoder))
    let job = TrainingJob(
      name: "d", recipe: recipe, shape: shape, folder: folder.appending(path: "d"), start: try start.folded(shape))
    return try TrainingRun(
      [job], source: source, folder: folder,
      identity: RunIdentity(version: "test", modelName: "tiny", modelSHA256: "m", corpus: "c", corpusSHA256: "s"),
      backend: model.backend, options: .init(checkpointEvery: 1e9, metricsEvery: 4), resumes: resumes)
  }

  private func metrics(_ folder: URL) throws -> String {
    try String(contentsOf: folder.appending(path: "d/metrics.jsonl"), encoding: .utf8)
      .replacing(/"tokens_per_second":[^}]*/, with: "")
  }

  @Test func aRunLowersTheDivergence() throws {
    let directory = try TemporaryDirectory()
    let run = try run(directory.url, source())
    var divergences: [Double] = []
    try run.train {
    } report: {
      divergences.append(try #require($0.kl))
    }
    #expect(divergences.count == 40)
    let (first, last) = (divergences.prefix(5).reduce(0, +), divergences.suffix(5).reduce(0, +))
    #expect(last < 0.75 * first, "\(divergences)")
    let line = try #require(try metrics(directory.url).split(separator: "\n").last)
    #expect(line.contains("\"kl\":"))
  }

  /// Stopped between steps, or in the middle of a pass of the model, and taken up again.
  @Test(arguments: 0..<3) func resumedRunsEndAlike(seed: UInt64) throws {
    let whole = try TemporaryDirectory()
    let expected = try run(whole.url, source())
    try expected.train()

    var random = SeededRandom(seed: seed)
    let directory = try TemporaryDirectory()
    var parameters: [DictionaryParameters] = []
    for attempt in 0..<60 where parameters.isEmpty {
      var left = random.int(20...400)
      let source = try source {
        left -= 1
        if left < 0 { throw Stop() }
      }
      let run = try run(directory.url, source, resumes: attempt > 0)
      do {
        try run.train()
        parameters = try run.results().map(\.parameters)
      } catch is Stop {}
    }
    #expect(try parameters == expected.results().map(\.parameters))
    #expect(try metrics(directory.url) == metrics(whole.url))
  }

  @Test func windowsAreWholeSequencesInOrder() throws {
    let source = try source()
    let first = try #require(try source.nextWindow())
    let state = source.state
    let second = try #require(try source.nextWindow())
    #expect(first.index == 0 && second.index == 1)
    #expect(first.count <= 46 && first.tokens.allSatisfy { !tokenizer.isSpecial($0) })
    let again = try self.source()
    try again.restore(state)
    let repeated = try #require(try again.nextWindow())
    #expect(repeated.tokens == second.tokens)
    #expect(try repeated.tensors[0].bytes() == second.tensors[0].bytes())
    // What is put back in its own place changes nothing.
    let (kl, gradient) = try source.evaluate(second.tensors[0])
    #expect(kl.magnitude < 1e-5)
    #expect(try gradient.read().allSatisfy { abs($0) < 1e-4 })
  }

  @Test func activationsAloneAreNotEnough() throws {
    let directory = try TemporaryDirectory()
    let other = try ModelActivationSource(
      model, tokenizer: tokenizer, corpus: corpus, sites: [.residPost(2)],
      options: HarvestOptions(packing: PackingOptions(context: 24)))
    #expect(throws: TrainingError.self) { _ = try run(directory.url, other) }
    let crosscoder = try DictionaryShape(
      checking: .crosscoder, reads: [.residPost(1), .residPost(2)], writes: [.residPost(1), .residPost(2)], width: 8,
      inputWidth: 32, outputWidth: 32)
    #expect(throws: TrainingError.self) {
      _ = try SequenceSource(
        model, tokenizer: tokenizer, corpus: corpus, shape: crosscoder, packing: PackingOptions(), sequences: 1)
    }
  }
}
