import Dictionaries
import Sites
import TestSupport
import Testing
import Training

@Suite struct CombinedStartTests {
  /// An SAE whose encoder is its decoder's transpose, made of rows of unit length.
  private func sae(_ layer: Int, rows: [[Float]]) throws -> DictionaryParameters {
    let (width, d) = (rows.count, rows[0].count)
    let shape = try DictionaryShape(
      checking: .sae, reads: [.residPost(layer)], writes: [.residPost(layer)], width: width, inputWidth: d,
      outputWidth: d)
    return try DictionaryParameters(
      shape: shape,
      layers: [
        .init(
          encoder: (0..<d).flatMap { i in rows.map { $0[i] } }, encoderBias: rows.indices.map { Float($0) },
          threshold: rows.indices.map { Float($0) + 0.5 }, decoder: rows.flatMap { $0 },
          decoderBias: [Float](repeating: Float(layer), count: d))
      ])
  }

  private func unit(_ i: Int, _ d: Int = 8) -> [Float] { (0..<d).map { $0 == i ? 1 : 0 } }

  @Test func sharedFeaturesAreTakenOnce() throws {
    // Feature 0 of the first layer comes back as feature 1 of the second.
    let first = try sae(0, rows: [unit(0), unit(1), unit(2)])
    let second = try sae(1, rows: [unit(5), unit(0), unit(6), unit(7)])
    let shape = try DictionaryShape(
      checking: .crosscoder, reads: [.residPost(0), .residPost(1)], writes: [.residPost(0), .residPost(1)], width: 2,
      inputWidth: 8, outputWidth: 8)
    let start = try CombinedStart([first, second], shape: shape)
    #expect(start.chosen == [[0, 1], [0, 2]])
    #expect(start.marked == 1)
    let layers = start.parameters.layers
    #expect(layers[0].encoderBias == [0, 1] && layers[1].encoderBias == [0, 2])
    #expect(layers[1].threshold == [0.5, 2.5])
    // [feature, write, d]: feature 0 writes to both layers, feature 1 to its own alone.
    #expect(layers[0].decoder == unit(0) + unit(0) + unit(1) + [Float](repeating: 0, count: 8))
    #expect(layers[1].decoder == [Float](repeating: 0, count: 8) + unit(5) + [Float](repeating: 0, count: 8) + unit(6))
  }

  @Test func whatDoesNotFitIsNamed() throws {
    let first = try sae(0, rows: [unit(0), unit(1)])
    let shape = try DictionaryShape(
      checking: .crosscoder, reads: [.residPost(0), .residPost(1)], writes: [.residPost(0), .residPost(1)], width: 2,
      inputWidth: 8, outputWidth: 8)
    #expect(throws: TrainingError.self) { _ = try CombinedStart([first], shape: shape) }
    #expect(throws: TrainingError.self) { _ = try CombinedStart([first, first], shape: shape) }
  }
}
