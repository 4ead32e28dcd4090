import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// The same numbers by different roads: threads, instruction sets, caches, batches.
@Suite struct EquivalenceTests {
  private let prompts: [[Int32]]

  init() throws {
    let dumps = try TinyGemma.dumps()
    prompts = try (0..<3).map { try TinyGemma.tokens(dumps, $0) }
  }

  @Test func anyThreadCountGivesTheSameBits() throws {
    var reference: [[Float]]?
    for threads in [1, 2, 3, 7] {
      let model = try TinyGemma.model(backend: try NativeBackend(threads: threads))
      let result = try model.forward(prompts, capture: Set(model.shape.sites), logits: .all)
      let activations = try model.shape.sites.map { try result.activations[$0]?.read() ?? [] }
      let values = activations + [try result.logits?.read() ?? []]
      #expect(reference == nil || reference == values, "\(threads) threads")
      reference = values
    }
  }

  @Test func instructionSetsAgree() throws {
    let scalar = try #require(
      try TinyGemma.model(backend: try NativeBackend(isa: .scalar, threads: 1)).forward(prompts, logits: .all).logits)
    for isa in NativeBackend.InstructionSet.available where isa != .scalar {
      let model = try TinyGemma.model(backend: try NativeBackend(isa: isa, threads: 2))
      let values = try #require(try model.forward(prompts, logits: .all).logits).read()
      expectClose(values, try scalar.read(), rowLength: 300, tolerance: 2e-5, "\(isa)")
    }
  }

  @Test func aBatchEqualsItsSequences() throws {
    let model = try TinyGemma.model()
    let batch = try model.forward(prompts, capture: [.residPost(6)], logits: .all)
    let rows = batch.rows
    #expect(rows.segments.map(\.count) == prompts.map(\.count))
    for (i, prompt) in prompts.enumerated() {
      let alone = try model.forward([prompt], capture: [.residPost(6)], logits: .all)
      let part = try #require(batch.logits).rows(rows.segments[i])
      expectClose(
        try part.read(), try #require(alone.logits).read(), rowLength: 300, tolerance: 2e-5, "sequence \(i)")
      let stream = try #require(batch.activations[.residPost(6)]).rows(rows.segments[i])
      expectClose(
        try stream.read(), try #require(alone.activations[.residPost(6)]).read(), rowLength: 32, tolerance: 2e-5,
        "residual stream of sequence \(i)")
    }
    let last = try #require(try model.forward(prompts, logits: .last).logits)
    #expect(last.shape == [3, 300])
    let ends = try prompts.indices.flatMap { i in
      try #require(batch.logits).rows(rows.segments[i].upperBound - 1..<rows.segments[i].upperBound).read()
    }
    expectClose(try last.read(), ends, rowLength: 300, tolerance: 2e-5, "last rows")
  }

  /// Any way of cutting a prompt into steps gives what one pass gives, also far beyond the sliding window.
  @Test(arguments: [[1], [2, 1], [5, 7, 1], [16, 3], [23], [9, 14]])
  func cachedStepsEqualOnePass(cuts: [Int]) throws {
    let model = try TinyGemma.model()
    var random = SeededRandom(seed: 11)
    let tokens = prompts[0] + (0..<40).map { _ in Int32(random.int(4...299)) }
    let whole = try #require(try model.forward([tokens], logits: .all).logits)
    let session = try model.makeSession()
    var next = 0
    var cut = 0
    while next < tokens.count {
      let end = min(next + cuts[cut % cuts.count], tokens.count)
      let step = try #require(
        try model.forward([Array(tokens[next..<end])], logits: .all, sessions: [session]).logits)
      expectClose(
        try step.read(), try whole.rows(next..<end).read(), rowLength: 300, tolerance: 2e-5,
        "positions \(next)..<\(end)")
      next = end
      cut += 1
    }
    #expect(session.count == tokens.count)
  }

  /// A pass that only captures an early site still fills the caches of later layers.
  @Test func capturingWithASessionKeepsItWhole() throws {
    let model = try TinyGemma.model()
    let session = try model.makeSession()
    let (head, tail) = (Array(prompts[0].prefix(9)), Array(prompts[0].dropFirst(9)))
    let captured = try model.forward([head], capture: [.residPost(0)], logits: .none, sessions: [session])
    #expect(captured.activations[.residPost(0)]?.shape == [9, 32])
    let step = try #require(try model.forward([tail], logits: .last, sessions: [session]).logits)
    let whole = try #require(try model.forward([prompts[0]], logits: .last).logits)
    expectClose(try step.read(), try whole.read(), rowLength: 300, tolerance: 2e-5, "after a capture")
  }

  @Test func truncatingASessionTakesTokensBack() throws {
    let model = try TinyGemma.model()
    let session = try model.makeSession()
    _ = try model.forward([prompts[0]], logits: .none, sessions: [session])
    let kept = prompts[0].count - 2
    try session.truncate(to: kept)
    #expect(session.count == kept)
    let rest = Array(prompts[0].suffix(2))
    let again = try #require(try model.forward([rest], logits: .last, sessions: [session]).logits)
    let whole = try #require(try model.forward([prompts[0]], logits: .last).logits)
    expectClose(try again.read(), try whole.read(), rowLength: 300, tolerance: 2e-5, "after truncation")
    #expect(throws: TensorError.self) { try session.truncate(to: 1000) }
  }

  /// The window drops old rows for good, so going back behind it is refused rather than answered wrongly.
  @Test func truncatingBehindTheWindowIsRefused() throws {
    let model = try TinyGemma.model()
    let session = try model.makeSession()
    for token in 0..<200 { _ = try model.forward([[Int32(4 + token)]], logits: .none, sessions: [session]) }
    #expect(throws: TensorError.self) { try session.truncate(to: 10) }
  }
}
