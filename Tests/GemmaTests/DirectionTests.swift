import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// Directions into the residual stream and the sources of attention, against the model's own activations.
@Suite struct DirectionTests {
  let model: GemmaModel
  let ids: [Int32] = [2, 17, 40, 5, 99, 23, 8, 61, 12, 77, 30]

  init() throws { model = try TinyGemma.model() }

  private func activations(_ sites: Set<Site>) throws -> [Site: Tensor] {
    try model.forward([ids], capture: sites, logits: .none).activations
  }

  /// resid_post − mlp_out − the stream before is what attention added: the direction of its heads over the denominator.
  @Test func headsAddWhatTheLayerAdds() throws {
    for layer in 0..<model.configuration.layers {
      let before: Site = layer == 0 ? .embed : .residPost(layer - 1)
      let found = try activations([before, .attnOut(layer), .mlpOut(layer), .residPost(layer)])
      let heads = try #require(found[.attnOut(layer)])
      let directions = try model.residualDirections(of: .attnOut(layer), heads)
      let scales = try model.attentionOutputScales(layer: layer, heads: heads)
      #expect(directions.shape == [ids.count, model.configuration.width] && scales.count == ids.count)
      let width = model.configuration.width
      let added = try directions.read().enumerated().map { $1 / scales[$0 / width] }
      let (a, b) = (try #require(found[before]).read(), try #require(found[.mlpOut(layer)]).read())
      let after = try #require(found[.residPost(layer)]).read()
      expectClose(
        zip(zip(a, b), added).map { $0.0 + $0.1 + $1 }, after, rowLength: width, tolerance: 1e-5, "layer \(layer)")
    }
  }

  @Test func rowsOfTheStreamStay() throws {
    let rows = try Tensor((0..<2 * model.configuration.width).map(Float.init), shape: [2, model.configuration.width])
    for site in [Site.embed, .mlpOut(1), .residPost(2)] {
      #expect(try model.residualDirections(of: site, rows).read() == rows.read())
    }
    #expect(throws: GemmaError.self) { try model.residualDirections(of: .mlpIn(1), rows) }
    #expect(throws: GemmaError.self) { try model.residualDirections(of: .residPost(1), Tensor([1], shape: [1, 1])) }
    #expect(throws: SiteError.self) { try model.residualDirections(of: .residPost(99), rows) }
  }

  /// Σ_s pattern · values is attn_out itself, head by head.
  @Test func sourcesMakeUpTheHeads() throws {
    for layer in 0..<model.configuration.layers {
      let before: Site = layer == 0 ? .embed : .residPost(layer - 1)
      let found = try activations([before, .attnOut(layer)])
      let sources = try model.attentionSources(layer: layer, residual: #require(found[before]))
      let (n, d) = (ids.count, sources.shape.headDimension)
      let (pattern, values) = (try sources.pattern.read(), try sources.values.read())
      var made = [Float](repeating: 0, count: n * sources.shape.queryHeads * d)
      for head in 0..<sources.shape.queryHeads {
        let keyed = head / (sources.shape.queryHeads / sources.shape.keyValueHeads)
        for t in 0..<n {
          for i in 0..<d {
            made[(t * sources.shape.queryHeads + head) * d + i] = (0..<n).reduce(Float(0)) { sum, s in
              sum + pattern[(head * n + t) * n + s] * values[(s * sources.shape.keyValueHeads + keyed) * d + i]
            }
          }
        }
      }
      expectClose(
        made, try #require(found[.attnOut(layer)]).read(), rowLength: sources.shape.queryHeads * d, tolerance: 1e-5,
        "layer \(layer)")
    }
    #expect(throws: GemmaError.self) { try model.attentionSources(layer: 0, residual: Tensor([1], shape: [1, 1])) }
    #expect(throws: SiteError.self) {
      try model.attentionSources(
        layer: 99,
        residual: Tensor(
          [Float](repeating: 0, count: model.configuration.width), shape: [1, model.configuration.width]))
    }
  }

  @Test func finalScalesAreTheNormsDenominators() throws {
    let residual = try #require(try model.forward([ids], logits: .residual).residual)
    let scales = try model.finalNormScales(residual)
    let (gain, normed) = (try model.finalNormGain.read(), try model.finalNorm(residual).read())
    let width = gain.count
    let made = try residual.read().enumerated().map { $1 * gain[$0 % width] / scales[$0 / width] }
    expectClose(made, normed, rowLength: width, tolerance: 1e-6, "final norm")
  }
}
