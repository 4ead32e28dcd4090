import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// What sessions keep, and what becomes of them when something goes wrong.
@Suite struct SessionTests {
  private struct Stop: Error {}

  private let model: GemmaModel
  private let tokens: [Int32]

  init() throws {
    model = try TinyGemma.model()
    var random = SeededRandom(seed: 5)
    tokens = [2] + (0..<60).map { _ in Int32(random.int(11...299)) }
  }

  /// Reading a text piece by piece gives what one pass gives, and stops after the layers that are needed.
  @Test(arguments: [1, 3, 7]) func aSessionOfTheFirstLayers(layers: Int) throws {
    let site = Site.residPost(layers - 1)
    let whole = try #require(try model.forward([tokens], capture: [site], logits: .none).activations[site])
    let session = try model.makeSession(layers: layers)
    #expect(session.layers == layers)
    for start in stride(from: 0, to: tokens.count, by: 16) {
      let piece = Array(tokens[start..<min(start + 16, tokens.count)])
      let result = try model.forward([piece], capture: [site], logits: .none, sessions: [session])
      expectClose(
        try #require(result.activations[site]).read(), try whole.rows(start..<start + piece.count).read(),
        rowLength: 32, tolerance: 2e-5, "from \(start)")
    }
    #expect(session.count == tokens.count)
  }

  @Test func whatASessionCannotServeIsRefused() throws {
    let session = try model.makeSession(layers: 3)
    #expect(throws: GemmaError.self) { try model.forward([tokens], logits: .last, sessions: [session]) }
    #expect(throws: GemmaError.self) {
      try model.forward([tokens], capture: [.residPost(3)], logits: .none, sessions: [session])
    }
    #expect(throws: GemmaError.self) {
      try model.forward([tokens, tokens], logits: .none, sessions: [session, try model.makeSession()])
    }
    #expect(session.count == 0)
    for layers in [0, 8, -1] { #expect(throws: GemmaError.self) { try model.makeSession(layers: layers) } }
  }

  /// A pass that ends early leaves some layers longer than others; going back to where it began mends that.
  @Test func aBrokenPassCanBeTakenBack() throws {
    let session = try model.makeSession()
    _ = try model.forward([Array(tokens[..<20])], logits: .none, sessions: [session])
    var calls = 0
    #expect(throws: Stop.self) {
      try model.forward(
        [Array(tokens[20..<30])], logits: .none, sessions: [session],
        check: {
          calls += 1
          if calls == 5 { throw Stop() }
        })
    }
    #expect(session.count == 30)
    // Only some layers have come so far: nothing may change.
    #expect(throws: TensorError.self) { try session.truncate(to: 25) }
    #expect(session.count == 30)
    try session.truncate(to: 20)
    let again = try #require(try model.forward([Array(tokens[20...])], logits: .last, sessions: [session]).logits)
    let whole = try #require(try model.forward([tokens], logits: .last).logits)
    expectClose(try again.read(), try whole.read(), rowLength: 300, tolerance: 2e-5, "after the broken pass")
  }

  @Test func everyPassLooksForAnInterruption() throws {
    for site in [Site.embed, .attnOut(0)] {
      #expect(throws: Stop.self) {
        try model.forward([tokens], capture: [site], logits: .none, check: { throw Stop() })
      }
    }
  }

  /// The estimate is what the caches take, token by token and in one pass.
  @Test func cacheBytesAreThoseOfASession() throws {
    let text = (0..<128).map { Int32(11 + $0) }
    let session = try model.makeSession()
    for token in text { _ = try model.forward([[token]], logits: .none, sessions: [session]) }
    #expect(session.byteCount == model.configuration.cacheBytes(positions: 128, rowsPerPass: 1))
    let atOnce = try model.makeSession()
    _ = try model.forward([text], logits: .none, sessions: [atOnce])
    #expect(atOnce.byteCount == model.configuration.cacheBytes(positions: 128, rowsPerPass: 128))
  }
}
