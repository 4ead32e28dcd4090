import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Testing
import Training

@Suite struct FoldingTests {
  /// The folded dictionary, run as any dictionary is, reconstructs raw activations as training reconstructs normalised
  /// ones: same active features, same FVU of every write. And unfolding it gives the state back.
  @Test(arguments: TwinCase.names) func roundTrip(name: String) throws {
    let twin = try TwinCase(name)
    let backend = try NativeBackend(threads: 2)
    let state = try twin.state(backend)
    // Some steps, so that nothing is round; BatchTopK gets a running threshold.
    for step in 0..<3 { _ = try state.step(try twin.batch(step), twin.settings) }
    let shape = try sites(twin.shape)
    let parameters = try state.folded(shape, modelName: "google/gemma-3-270m", targetL0: 3)

    // A state of thresholds that starts from the folded dictionary.
    let other = try TrainingState(
      shape: twin.shape, objective: .init(activation: .jumpReLU), normalisation: twin.normalisation, backend: backend)
    try other.unfold(parameters)
    let again = try other.folded(shape, modelName: "google/gemma-3-270m", targetL0: 3)
    for (layer, wanted) in zip(again.layers, parameters.layers) {
      for (what, a, b) in [
        ("encoder", layer.encoder, wanted.encoder), ("bias", layer.encoderBias, wanted.encoderBias),
        ("threshold", layer.threshold, wanted.threshold), ("decoder", layer.decoder, wanted.decoder),
        ("decoder bias", layer.decoderBias, wanted.decoderBias), ("skip", layer.skip ?? [], wanted.skip ?? []),
      ] where !b.isEmpty { expectClose(a, b, rowLength: b.count, tolerance: 1e-5, "\(name) \(what)") }
    }

    let folder = try TemporaryDirectory()
    let batch = try twin.batch(0)
    try parameters.write(to: folder.url.appending(path: "d"))
    let dictionary = try SparseDictionary(contentsOf: folder.url.appending(path: "d"), backend: backend)
    let code = try dictionary.encode(batch.inputs)
    let outputs = try dictionary.decode(code, inputs: batch.inputs)
    let report = try other.gradients(batch, StepSettings(learningRate: 0)).report
    let active = code.layers.reduce(0) { $0 + $1.count }
    #expect(Double(active) / Double(batch.tokens) == report.l0, "\(name)")
    var error = 0.0
    for (write, (output, target)) in zip(outputs, batch.targets).enumerated() {
      let scale = Double(twin.normalisation.targets[write])
      for (a, b) in zip(try output.read(), try target.read()) {
        error += (Double(a) - Double(b)) * (Double(a) - Double(b)) / (scale * scale)
      }
    }
    error /= Double(batch.tokens)
    #expect(abs(error - report.reconstruction) <= 1e-5 * error, "\(name): \(error), \(report.reconstruction)")
  }

  @Test func otherShapes() throws {
    let twin = try TwinCase("sae-jumprelu")
    let state = try twin.state(NativeBackend(threads: 1))
    let wrong = try DictionaryShape(
      checking: .sae, reads: [Site(.residPost, layer: 1)], writes: [Site(.residPost, layer: 1)], width: 5,
      inputWidth: twin.shape.inputWidth, outputWidth: twin.shape.outputWidth)
    #expect(throws: TrainingError.self) { try state.folded(wrong) }
  }

  private func sites(_ shape: TrainingShape) throws -> DictionaryShape {
    let transcodes = shape.kind == .transcoder || shape.kind == .clt
    return try DictionaryShape(
      checking: shape.kind,
      reads: (0..<shape.sources).map { Site(transcodes ? .mlpIn : .residPost, layer: $0) },
      writes: (0..<shape.writes).map { Site(transcodes ? .mlpOut : .residPost, layer: $0) }, width: shape.width,
      inputWidth: shape.inputWidth, outputWidth: shape.outputWidth, isAffine: shape.isAffine)
  }
}
