import Foundation
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// The real Gemma 3 270M against what transformers computes on the same dequantised weights
/// (Tools/make_real_fixture.py).
@Suite(.enabled(if: RealGemma.isPresent, "SKIPPED: no gemma-3-270m-q4_k_m.gguf; 'make demo' fetches it"), .serialized)
struct RealModelTests {
  @Test func logitsEqualTransformers() throws {
    let model = try RealGemma.model()
    for (name, prompt) in try RealGemma.prompts() {
      let result = try model.forward([prompt.tokens], capture: [.residPost(9)], logits: .residual)
      let residual = try #require(result.residual)
      // Few rows at a time: 262,144 logits a row.
      var worst = 0.0
      for start in stride(from: 0, to: prompt.tokens.count - 1, by: 64) {
        let end = min(start + 64, prompt.tokens.count - 1)
        let logits = try model.unembed(residual.rows(start..<end))
        let totals = try model.backend.logSumExp(logits)
        for row in start..<end {
          let target = Int(prompt.tokens[row + 1])
          let value = try logits.rows(row - start..<row - start + 1).read()[target] - totals[row - start]
          worst = max(worst, abs(Double(value) - prompt.logprobs[row]))
        }
      }
      #expect(worst <= 1e-3, "\(name): log-probabilities differ by up to \(worst)")

      let last = try model.unembed(residual.rows(prompt.tokens.count - 1..<prompt.tokens.count))
      let total = try model.backend.logSumExp(last)[0]
      let top = try model.backend.topK(last, 5)[0]
      #expect(top.map(\.index) == prompt.top.map { Int($0[0]) }, "\(name)")
      for (found, expected) in zip(top, prompt.top) {
        #expect(abs(Double(found.value - total) - expected[1]) <= 1e-3, "\(name): top tokens")
      }
      let stream = try #require(result.activations[.residPost(9)]).read()
      for (row, expected) in prompt.resid_post_9_norms.enumerated() {
        let norm = stream[row * 640..<(row + 1) * 640].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        #expect(abs(norm - expected) <= 1e-3 * expected, "\(name): norm of row \(row)")
      }
    }
  }

  @Test func greedyContinuationsEqualTransformers() throws {
    let model = try RealGemma.model()
    for (name, prompt) in try RealGemma.prompts() {
      let session = try model.makeSession()
      var input = prompt.tokens
      var found: [Int] = []
      while found.count < prompt.greedy.count {
        let logits = try #require(try model.forward([input], logits: .last, sessions: [session]).logits)
        let next = try model.backend.topK(logits, 1)[0][0].index
        found.append(next)
        input = [Int32(next)]
      }
      #expect(found == prompt.greedy, "\(name)")
    }
  }

  @Test func anyThreadCountGivesTheSameBits() throws {
    let tokens = try #require(try RealGemma.prompts()["english"]).tokens
    let values = try [1, 2, 3].map { threads in
      try RealGemma.model(backend: NativeBackend(threads: threads)).forward([tokens], logits: .last).logits?.read()
    }
    #expect(values[0] != nil && values[0] == values[1] && values[0] == values[2])
  }

  /// Every stored block format of the file through every instruction set.
  @Test func instructionSetsAgree() throws {
    let tokens = try #require(try RealGemma.prompts()["english"]).tokens
    let all = try NativeBackend.InstructionSet.available.map { isa in
      try #require(
        try RealGemma.model(backend: NativeBackend(isa: isa, threads: 2)).forward([tokens], logits: .last).logits
      ).read()
    }
    for values in all.dropFirst() {
      expectClose(values, all[0], rowLength: values.count, tolerance: 1e-4, "logits")
    }
  }
}

enum RealGemma {
  struct Prompt: Decodable {
    let tokens: [Int32]
    let logprobs: [Double]
    let top: [[Double]]
    let greedy: [Int]
    let resid_post_9_norms: [Double]
  }

  private struct Fixture: Decodable {
    let model: String
    let prompts: [String: Prompt]
  }

  private static func fixture() throws -> Fixture {
    try JSONDecoder().decode(Fixture.self, from: Data(contentsOf: Fixtures.url("gemma/real-270m.json")))
  }

  /// Whether the very file the fixture was made from is there: another quantisation has other logits.
  static let isPresent: Bool = {
    guard let name = try? fixture().model, let file = Fixtures.realModel else { return false }
    return name == file.lastPathComponent
  }()

  static func prompts() throws -> [String: Prompt] { try fixture().prompts }

  static func model(backend: NativeBackend? = nil) throws -> GemmaModel {
    guard let url = Fixtures.realModel else { throw CocoaError(.fileNoSuchFile) }
    return try GemmaModel(contentsOf: url, backend: try backend ?? NativeBackend())
  }
}
