import Checkpoints
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// Logits and every site against transformers on tiny random checkpoints, prompts longer than the sliding window.
@Suite struct ForwardParityTests {
  @Test(arguments: ["causal", "causal-bf16", "multimodal"])
  func everySiteEqualsTransformers(name: String) throws {
    let model = try TinyGemma.model(name)
    let dumps = try TinyGemma.dumps(name)
    for prompt in 0..<3 {
      let tokens = try TinyGemma.tokens(dumps, prompt)
      let result = try model.forward([tokens], capture: Set(model.shape.sites), logits: .all)
      for site in model.shape.sites {
        let values = try #require(result.activations[site]).read()
        let expected = try dumps.tensor("p\(prompt).\(site)").read()
        expectClose(
          values, expected, rowLength: model.shape.width(of: site), tolerance: 1e-4, "\(name) prompt \(prompt) \(site)")
      }
      expectClose(
        try #require(result.logits).read(), try dumps.tensor("p\(prompt).logits").read(),
        rowLength: model.shape.vocabularySize, tolerance: 1e-4, "\(name) prompt \(prompt) logits")
    }
  }

  /// The second key style of multimodal checkpoints holds the same weights.
  @Test func newerMultimodalKeysGiveTheSameModel() throws {
    let tokens = try TinyGemma.tokens(try TinyGemma.dumps("multimodal"), 0)
    let first = try TinyGemma.model("multimodal").forward([tokens], logits: .all)
    let second = try TinyGemma.model("multimodal-new-keys").forward([tokens], logits: .all)
    #expect(try first.logits?.read() == second.logits?.read())
  }

  @Test func ggufEqualsItsSource() throws {
    let tokens = try TinyGemma.tokens(try TinyGemma.dumps(), 0)
    let backend = try NativeBackend(threads: 1)
    let source = try TinyGemma.model(backend: backend).forward([tokens], logits: .all)
    let gguf = try GemmaModel(contentsOf: Fixtures.url("gguf/tiny-f32.gguf"), backend: backend)
    let values = try #require(try gguf.forward([tokens], logits: .all).logits).read()
    // Gains are stored as 1 + w, rounded once more than in the source.
    expectClose(
      values, try #require(source.logits).read(), rowLength: gguf.shape.vocabularySize, tolerance: 1e-5, "gguf logits")
  }

  /// Stopping early, narrowing the last layer to the rows that get logits, and asking for less change no value.
  @Test func partialPassesAgreeWithTheWholeOne() throws {
    let model = try TinyGemma.model()
    let tokens = try TinyGemma.tokens(try TinyGemma.dumps(), 0)
    let all = try model.forward([tokens], capture: Set(model.shape.sites), logits: .all)
    for site in model.shape.sites {
      let alone = try model.forward([tokens], capture: [site], logits: .none)
      #expect(alone.logits == nil && alone.activations.count == 1)
      #expect(try alone.activations[site]?.read() == all.activations[site]?.read(), "\(site)")
    }
    let width = model.shape.vocabularySize
    let last = try #require(try model.forward([tokens], logits: .last).logits)
    #expect(last.shape == [1, width])
    expectClose(
      try last.read(), Array(try #require(all.logits).read().suffix(width)), rowLength: width, tolerance: 1e-6, "last")
    let residual = try #require(try model.forward([tokens], logits: .residual).residual)
    expectClose(
      try model.unembed(residual).read(), try #require(all.logits).read(), rowLength: width, tolerance: 1e-6,
      "residual")
  }

  @Test func unusableInputIsRefused() throws {
    let model = try TinyGemma.model()
    #expect(throws: GemmaError.self) { try model.forward([]) }
    #expect(throws: GemmaError.self) { try model.forward([[2], []]) }
    #expect(throws: GemmaError.self) { try model.forward([[2, 300]]) }
    #expect(throws: GemmaError.self) { try model.forward([[-1]]) }
    #expect(throws: GemmaError.self) { try model.forward([[Int32](repeating: 2, count: 513)]) }
    #expect(throws: GemmaError.self) { try model.forward([[2]], sessions: []) }
    #expect(throws: SiteError.self) { try model.forward([[2]], capture: [.residPost(7)]) }
  }

  @Test func aPassCanBeCancelled() throws {
    struct Stop: Error {}
    let model = try TinyGemma.model()
    var calls = 0
    #expect(throws: Stop.self) {
      try model.forward([[2, 5]]) {
        calls += 1
        if calls == 3 { throw Stop() }
      }
    }
    #expect(calls == 3)
  }
}
