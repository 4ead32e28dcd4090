import Checkpoints
import Foundation
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// Input gradients against PyTorch autograd (fixtures) and against finite differences.
@Suite struct GradientTests {
  private let model: GemmaModel
  private let fixture: SafetensorsFile
  private let tokens: [Int32]

  init() throws {
    model = try TinyGemma.model()
    fixture = try TinyGemma.dumps(file: "gradients")
    tokens = try TinyGemma.tokens(try TinyGemma.dumps(), 0)
  }

  /// The cotangents a–e of Tools/make_gemma_fixtures.py.
  private func cotangent(_ name: String) throws -> Cotangent {
    switch name {
    case "a": return .logits([17, 101], weights: [1, -1], position: 22)
    case "b":
      // log softmax: one-hot minus the probabilities.
      let logits = try #require(try model.forward([tokens], logits: .all).logits).rows(12..<13)
      let total = try model.backend.logSumExp(logits)[0]
      var weights = try logits.read().map { -Float(exp(Double($0 - total))) }
      weights[55] += 1
      return .allLogits(weights, position: 12)
    case "c": return .site(.residPost(5), try fixture.tensor("cotangent.c").read(), position: 22)
    case "d": return .site(.mlpIn(4), try fixture.tensor("cotangent.d").read(), position: 10)
    default: return .site(.attnOut(6), try fixture.tensor("cotangent.e").read(), position: 22)
    }
  }

  private func check(_ names: [String], mode: GradientMode, mlp: MLPGradient, label: String) throws {
    let recording = try model.record(tokens)
    let sources = Set(model.shape.sites)
    let gradients = try model.gradients(
      of: try names.map(cotangent), in: recording, at: sources, mode: mode, mlp: mlp)
    for (entry, name) in names.enumerated() {
      var compared = 0
      for site in sources {
        let key = "grad.\(label).\(name).\(site)"
        guard fixture.contains(key) else { continue }
        let expected = try fixture.tensor(key).read()
        let batch = try #require(gradients[site])
        let values = try batch.rows(entry..<entry + 1).read()
        // One scale for the whole gradient: rows after the cotangent's position are exactly zero.
        let scale = expected.reduce(0) { max($0, abs($1)) }
        let worst = zip(values, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(worst <= 1e-4 * max(scale, 1e-6), "\(key): \(worst) of \(scale)")
        compared += 1
      }
      #expect(compared >= 10, "\(label) \(name): only \(compared) gradients in the fixture")
    }
  }

  @Test func exactGradientsEqualAutograd() throws {
    try check(["a", "b", "c", "d", "e"], mode: .exact, mlp: .through, label: "exact")
  }

  @Test func frozenGradientsEqualAutograd() throws {
    try check(["a", "b", "c", "d", "e"], mode: .frozen, mlp: .through, label: "frozen")
  }

  @Test func blockedMLPsEqualAutograd() throws {
    try check(["a", "c"], mode: .frozen, mlp: .blocked, label: "frozen_mlp_blocked")
  }

  /// Adds a small vector to one row of a site.
  private final class Nudge: SiteVisitor {
    let site: Site
    let row: Int
    let delta: [Float]

    init(site: Site, row: Int, delta: [Float]) {
      self.site = site
      self.row = row
      self.delta = delta
    }

    func visits(_ site: Site) -> Bool { site == self.site }

    func visit(_ site: Site, _ x: Tensor, rows: RowLayout) throws -> Tensor {
      var values = try x.read()
      for i in delta.indices { values[row * x.rowLength + i] += delta[i] }
      return try Tensor(values, shape: x.shape)
    }
  }

  /// The exact gradient along random directions equals the central difference of real forward passes.
  @Test func exactGradientsEqualFiniteDifferences() throws {
    let recording = try model.record(tokens)
    let sources: [Site] = [.embed, .residPost(2), .mlpOut(3), .mlpIn(4), .attnOut(5)]
    let gradients = try model.gradients(
      of: [.logits([17], weights: [1], position: 22)], in: recording, at: Set(sources))
    var random = SeededRandom(seed: 3)
    for site in sources {
      let width = model.shape.width(of: site)
      let row = random.int(14...22)
      let direction = random.floats(width)
      let gradient = Array(try #require(gradients[site]).read()[row * width..<(row + 1) * width])
      let predicted = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      let step: Float = 2e-3
      func logit(_ sign: Float) throws -> Double {
        let nudge = Nudge(site: site, row: row, delta: direction.map { $0 * sign * step })
        let logits = try #require(try model.forward([tokens], logits: .last, visitor: nudge).logits).read()
        return Double(logits[17])
      }
      let measured = (try logit(1) - logit(-1)) / Double(2 * step)
      #expect(abs(measured - predicted) <= 0.02 * max(abs(predicted), 0.05), "\(site): \(measured) vs \(predicted)")
    }
  }

  /// Puts values in the place of a site's own at all rows but the first.
  private struct Splice: SiteVisitor {
    let site: Site
    let values: [Float]

    func visits(_ site: Site) -> Bool { site == self.site }

    func visit(_ site: Site, _ x: Tensor, rows: RowLayout) throws -> Tensor {
      try Tensor(Array(try x.read().prefix(x.rowLength)) + values, shape: x.shape)
    }
  }

  /// KL between the model as it is and with a site replaced, and its gradient at that site, wherever in a block it lies.
  @Test(arguments: [Site.residPost(2), .mlpOut(3), .mlpIn(4), .attnOut(5)])
  func divergencesEqualFiniteDifferences(site: Site) throws {
    var random = SeededRandom(seed: 11)
    let width = model.shape.width(of: site)
    let rows = Array(1..<tokens.count)
    let clean = try model.forward([tokens], capture: [site], logits: .residual)
    let own = Array(try #require(clean.activations[site]).read().dropFirst(width))
    let values = zip(own, random.floats(own.count)).map { $0 + 0.3 * $1 }
    let direction = random.floats(own.count)
    let residual = try #require(clean.residual)
    func divergence(_ step: Float) throws -> (sum: Double, gradient: Tensor, recording: Recording) {
      let splice = Splice(site: site, values: zip(values, direction).map { $0 + step * $1 })
      let recording = try model.record(tokens, visitor: splice)
      let changed = try #require(recording.finalResidual)
      let (sum, gradient) = try model.divergence(of: changed, from: residual, rows: rows)
      return (sum, gradient, recording)
    }
    let here = try divergence(0)
    #expect(here.sum > 0.01)
    let gradient = try model.gradient(throughFinalResidual: here.gradient, in: here.recording, at: site).read()
    let predicted = zip(gradient.dropFirst(width), direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    // The sum is one of fp32 numbers: a smaller step measures their rounding.
    let step: Float = 4e-3
    let measured = (try divergence(step).sum - divergence(-step).sum) / Double(2 * step)
    #expect(abs(measured - predicted) <= 0.01 * max(abs(predicted), 0.1), "\(site): \(measured) vs \(predicted)")
    let same = try model.record(tokens)
    #expect(try model.divergence(of: #require(same.finalResidual), from: residual, rows: rows).sum.magnitude < 1e-4)
  }

  @Test func nothingFlowsForwardOrPastTheCotangent() throws {
    let recording = try model.record(tokens)
    let gradients = try model.gradients(
      of: [.site(.residPost(2), [Float](repeating: 1, count: 32), position: 5)], in: recording,
      at: [.residPost(1), .residPost(2), .residPost(4), .mlpOut(3)])
    let earlier = try #require(gradients[.residPost(1)]).read()
    #expect(earlier[..<(6 * 32)].contains { $0 != 0 })
    #expect(earlier[(6 * 32)...].allSatisfy { $0 == 0 })
    #expect(try #require(gradients[.residPost(4)]).read().allSatisfy { $0 == 0 })
    #expect(try #require(gradients[.mlpOut(3)]).read().allSatisfy { $0 == 0 })
  }

  /// The walk ends at the earliest source: what it finds there does not depend on that.
  @Test func aSourceAloneGetsWhatItGetsAmongAll() throws {
    let recording = try model.record(tokens)
    let cotangents = [
      Cotangent.logits([17, 101], weights: [1, -1], position: 22),
      .site(.mlpOut(4), [Float](repeating: 1, count: 32), position: 9),
    ]
    for mode in [GradientMode.exact, .frozen] {
      for mlp in [MLPGradient.through, .blocked] {
        let all = try model.gradients(
          of: cotangents, in: recording, at: Set(model.shape.sites), mode: mode, mlp: mlp)
        for site in [Site.embed, .attnOut(0), .attnOut(3), .mlpIn(3), .mlpOut(3), .residPost(3), .mlpIn(6)] {
          let alone = try model.gradients(of: cotangents, in: recording, at: [site], mode: mode, mlp: mlp)
          #expect(try alone[site]?.read() == all[site]?.read(), "\(site) \(mode) \(mlp)")
        }
      }
    }
  }

  @Test func unusableCotangentsAreRefused() throws {
    let recording = try model.record(tokens)
    func refuse(_ cotangent: Cotangent) {
      #expect(throws: (any Error).self) {
        try model.gradients(of: [cotangent], in: recording, at: [.embed])
      }
    }
    refuse(.logits([1, 2], weights: [1], position: 0))
    refuse(.logits([300], weights: [1], position: 0))
    refuse(.logits([1], weights: [1], position: 23))
    refuse(.allLogits([1], position: 0))
    refuse(.site(.residPost(1), [1], position: 0))
    refuse(.site(.residPost(9), [Float](repeating: 0, count: 32), position: 0))
    #expect(throws: SiteError.self) {
      try model.gradients(of: [.logits([1], weights: [1], position: 0)], in: recording, at: [.mlpIn(7)])
    }
  }
}
