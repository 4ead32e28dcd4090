import Dictionaries
import Evaluation
import Foundation
import Sites
import TestSupport
import Tensors
import Testing

@Suite struct DensityTests {
  /// One dead feature, one that is always on, and others that fire on a known number of tokens.
  @Test func plantedFeatures() throws {
    let site = Site(.residPost, layer: 0)
    let shape = try DictionaryShape(
      checking: .sae, reads: [site], writes: [site], width: 5, inputWidth: 2, outputWidth: 2, isAffine: false)
    // Feature 0 never, 1 always, 2 on ten tokens, 3 and 4 on one.
    let active = (0..<1000).map { token -> [Int32] in
      [1] + (token < 10 ? [2] : []) + (token == 20 ? [3] : []) + (token == 30 ? [4] : [])
    }
    let code = try DictionaryCode([
      SparseCode(
        rowOffsets: active.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }, features: active.flatMap { $0 },
        activations: active.flatMap { $0.map { _ in Float(1) } })
    ])
    var density = FeatureDensity(shape)
    #expect(density.deadShare == nil && density.histogram.isEmpty && density.frequent(above: 0.1) == nil)
    try density.add(code, rows: Array(0..<400))
    try density.add(code, rows: Array(400..<1000))
    #expect(density.tokens == 1000 && density.counts == [[0, 1000, 10, 1, 1]])
    #expect(density.dead == 1 && density.deadShare == 0.2)
    let frequent = try #require(density.frequent(above: 0.01))
    #expect(frequent.features == 0.2 && abs(frequent.activity - 1000.0 / 1012) < 1e-12)
    let bins = density.histogram
    #expect(bins.count == 12 && bins.reduce(0) { $0 + $1.features } == 4)
    #expect(bins[0].logDensity == -3..<(-2.75) && bins[0].features == 2)
    #expect(bins[4].features == 1 && bins[11].features == 1)
    #expect(throws: EvaluationError.self) { try density.add(code, rows: [1000]) }
  }
}
