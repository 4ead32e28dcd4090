import Checkpoints
import Dictionaries
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// Continuing texts: against transformers, against recomputing everything at each step, alone and in batches.
@Suite struct GenerationTests {
  @Test(arguments: ["causal", "causal-bf16", "multimodal"], [1024, 7, 1])
  func greedyEqualsTransformers(name: String, rowsPerPass: Int) throws {
    let model = try TinyGemma.model(name)
    let dumps = try TinyGemma.dumps(name)
    let options = GenerationOptions(maximumTokens: 16, rowsPerPass: rowsPerPass)
    let prompts = try (0..<3).map { try TinyGemma.tokens(dumps, $0) }
    let expected = try (0..<3).map { try dumps.tensor("p\($0).greedy").readIntegers().map { Int32($0) } }
    for (prompt, tokens) in zip(prompts, expected) {
      #expect(try model.generate(prompt, options: options) == Generation(tokens: tokens, stopped: .length))
    }
    #expect(try model.generate(prompts, options: options).map(\.tokens) == expected)
  }

  /// What generation must equal: the whole text again at every step, no cache, the intervention's rows by position.
  private func recomputed(
    _ model: GemmaModel, _ prompt: [Int32], _ options: GenerationOptions, stream: Int, _ plan: InterventionPlan?
  ) throws -> [Int32] {
    var sampler = try Sampler(options.sampling, backend: model.backend, stream: stream)
    var tokens = prompt
    for _ in 0..<options.maximumTokens {
      let visitor = plan?.visitor(promptLengths: [prompt.count])
      tokens.append(try sampler.next(try #require(try model.forward([tokens], logits: .last, visitor: visitor).logits)))
    }
    return Array(tokens[prompt.count...])
  }

  /// Tokens are drawn, because the tiny model's most probable continuation repeats one token.
  @Test(arguments: [
    Intervention.Positions.all, .prompt, .generated, .range(.init(from: 3, to: 19)), .list([2, 16, 17]),
  ])
  func interventionsHoldWithTheCache(positions: Intervention.Positions) throws {
    let bench = try InterventionBench()
    let residual = try bench.dictionary(InterventionBench.residual, name: "residual")
    let clt = try bench.dictionary(InterventionBench.clt, name: "clt")
    let list: [Intervention] = [
      .init(
        .add, .feature(.init(dictionary: "residual", index: 4)), value: 0.6, unit: .residualNorm, positions: positions),
      .init(.ablate, .feature(.init(dictionary: "clt", layer: 2, index: 6)), positions: positions),
      .init(.set, .feature(.init(dictionary: "clt", layer: 3, index: 9)), value: 2.5, positions: positions),
    ]
    let plan = try bench.plan(list, [residual, clt])
    var options = GenerationOptions(
      maximumTokens: 12, sampling: .init(temperature: 2, seed: 9), stopsAtEndTokens: false)
    let prompts = [Array(bench.tokens[..<15]), Array(bench.tokens[..<4]), Array(bench.tokens[2..<12])]
    let expected = try prompts.enumerated().map { try recomputed(bench.model, $1, options, stream: $0, plan) }
    #expect(expected.allSatisfy { Set($0).count > 6 })
    for rows in [1024, 4] {
      options.rowsPerPass = rows
      let together = try bench.model.generate(prompts, options: options, interventions: plan)
      #expect(together.map(\.tokens) == expected, "\(positions) \(rows)")
      let alone = try bench.model.generate(prompts[0], options: options, interventions: plan)
      #expect(alone.tokens == expected[0])
    }
    let plain = try bench.model.generate(prompts, options: options)
    #expect(plain.map(\.tokens) != expected, "the interventions change no token")
  }

  @Test func stopsAtTokens() throws {
    let model = try TinyGemma.model()
    let dumps = try TinyGemma.dumps()
    let prompts = try (0..<3).map { try TinyGemma.tokens(dumps, $0) }
    let greedy = try (0..<3).map { try dumps.tensor("p\($0).greedy").readIntegers().map { Int32($0) } }
    // The fifth token of the second text ends whichever texts meet it; the others go on without.
    let stop = greedy[1][4]
    var seen: [[Int32]] = [[], [], []]
    let options = GenerationOptions(maximumTokens: 16, stopTokens: [stop])
    let results = try model.generate(prompts, options: options, onToken: { seen[$0].append($1) })
    for (tokens, result) in zip(greedy, results) {
      if let end = tokens.firstIndex(of: stop) {
        #expect(result == Generation(tokens: Array(tokens[..<end]), stopped: .eos, endToken: stop))
      } else {
        #expect(result == Generation(tokens: tokens, stopped: .length))
      }
    }
    #expect(results[1].tokens.count <= 4 && results.contains { $0.stopped == .length })
    #expect(seen == results.map(\.tokens))
    let first = try model.generate(prompts[0], options: .init(stopTokens: [greedy[0][0]]))
    #expect(first == Generation(tokens: [], stopped: .eos, endToken: greedy[0][0]))
  }

  @Test func theModelsEndTokensCount() throws {
    // A vector that makes the end token win: its own unembedding row, at the last site.
    let bench = try InterventionBench()
    let end = try #require(bench.model.configuration.endTokens.first)
    let vector = try MadeVector(try bench.model.unembeddingRows([end]).read())
    let plan = try bench.plan([.init(.add, vector.target, site: .residPost(6), value: 1000, positions: .generated)])
    let stopped = try bench.model.generate(bench.tokens, interventions: plan)
    #expect(stopped.stopped == .eos && stopped.endToken == end && stopped.tokens.count == 1)
    let options = GenerationOptions(maximumTokens: 5, stopsAtEndTokens: false)
    let ignored = try bench.model.generate(bench.tokens, options: options, interventions: plan)
    #expect(ignored.tokens.dropFirst() == [end, end, end, end] && ignored.stopped == .length)
  }

  @Test func theContextIsALimit() throws {
    let model = try TinyGemma.model()
    let limit = model.configuration.maximumPositions
    let prompt = (0..<limit - 3).map { Int32($0 % 290 + 5) }
    let options = GenerationOptions(maximumTokens: 64, stopsAtEndTokens: false, rowsPerPass: 100)
    let result = try model.generate(prompt, options: options)
    #expect(result.tokens.count == 3 && result.stopped == .length)
    let full = try model.generate([prompt + [5, 6, 7], [9]], options: options)
    #expect(full[0] == Generation(tokens: [], stopped: .length) && full[1].tokens.count == 64)
    #expect(throws: GemmaError.self) { try model.generate(prompt + [5, 6, 7, 8], options: options) }
  }

  @Test func sessionsContinue() throws {
    let bench = try InterventionBench()
    let residual = try bench.dictionary(InterventionBench.residual, name: "residual")
    // Without logits for the first chunks every layer must still see them.
    let plan = try bench.plan(
      [.init(.add, .feature(.init(dictionary: "residual", index: 4)), value: 0.3, unit: .residualNorm)], [residual])
    let options = GenerationOptions(maximumTokens: 6, stopsAtEndTokens: false, rowsPerPass: 5)
    let whole = try bench.model.generate(bench.tokens, options: options, interventions: plan)
    let session = try bench.model.makeSession()
    _ = try bench.model.forward(
      [Array(bench.tokens[..<10])], logits: .last, visitor: plan.visitor(), sessions: [session])
    let rest = try bench.model.generate(
      Array(bench.tokens[10...]), options: options, interventions: plan, session: session)
    #expect(rest == whole)
    #expect(session.count == bench.tokens.count + 5)
    let turn = try bench.model.generate(
      [whole.tokens[5], 7, 8], options: options, interventions: plan, session: session)
    let again = try bench.model.generate(
      bench.tokens + whole.tokens + [7, 8], options: options, interventions: plan)
    #expect(turn == again)
  }

  /// A text does not depend on its neighbours, also when it is drawn.
  @Test func samplingInABatchEqualsItsStreams() throws {
    let bench = try InterventionBench()
    let sampling = Sampling(temperature: 1.2, topK: 50, topP: 0.95, seed: 77)
    let options = GenerationOptions(maximumTokens: 20, sampling: sampling, stopsAtEndTokens: false)
    let prompt = Array(bench.tokens[..<6])
    let alone = try bench.model.generate(prompt, options: options)
    let batch = try bench.model.generate([prompt, prompt, Array(bench.tokens[..<9])], options: options)
    #expect(batch[0] == alone && batch[1] != alone)
    #expect(try bench.model.generate(prompt, options: options) == alone)
    var other = options
    other.sampling.seed = 78
    #expect(try bench.model.generate(prompt, options: other) != alone)
  }

  private struct Stop: Error, Equatable {}

  @Test func cancellationAndCallbacksEndIt() throws {
    let model = try TinyGemma.model()
    var produced = 0
    #expect(throws: Stop.self) {
      try model.generate(
        [5, 6, 7], options: .init(stopsAtEndTokens: false), check: { if produced == 4 { throw Stop() } },
        onToken: { _ in produced += 1 })
    }
    #expect(produced == 4)
    #expect(throws: Stop.self) {
      try model.generate([5, 6, 7], options: .init(stopsAtEndTokens: false), onToken: { _ in throw Stop() })
    }
    var checks = 0
    #expect(throws: Stop.self) {
      try model.generate(
        [5, 6, 7], options: .init(rowsPerPass: 1),
        check: {
          checks += 1
          if checks == 2 { throw Stop() }
        })
    }
  }

  @Test func refusesWhatCannotBe() throws {
    let model = try TinyGemma.model()
    func expectRefused(_ prompts: [[Int32]], _ options: GenerationOptions, _ expected: String) {
      let error = #expect(throws: GemmaError.self) { try model.generate(prompts, options: options) }
      #expect(error?.description.contains(expected) == true, "\(String(describing: error))")
    }
    expectRefused([], .init(), "at least one prompt")
    expectRefused([[5], []], .init(), "prompt 1 is empty")
    expectRefused([[5]], .init(maximumTokens: 0), "at most 0 tokens")
    expectRefused([[5]], .init(rowsPerPass: 0), "0 rows")
    expectRefused([[5]], .init(sampling: .init(temperature: -1)), "temperature")
    expectRefused([[300]], .init(), "outside the vocabulary")
    #expect(throws: GemmaError.self) { try model.generate([[5], [6]], sessions: [try model.makeSession()]) }
  }
}
