import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Testing
import Training

@Suite struct StateTests {
  /// Saving after one step and going on gives the bits of not having stopped.
  @Test(arguments: TwinCase.names) func resume(name: String) throws {
    let twin = try TwinCase(name)
    let straight = try twin.state(NativeBackend(threads: 2))
    let reports = try (0..<3).map { try straight.step(try twin.batch($0), twin.settings) }

    let folder = try TemporaryDirectory()
    let file = folder.url.appending(path: "state.safetensors")
    let first = try twin.state(NativeBackend(threads: 2))
    _ = try first.step(try twin.batch(0), twin.settings)
    try SafetensorsWriter.write(first.tensors(), to: file)

    let second = try TrainingState(
      shape: twin.shape, objective: twin.objective, normalisation: twin.normalisation, adam: twin.adam,
      backend: NativeBackend(threads: 2))
    try second.restore([try SafetensorsFile(file)])
    #expect(try second.tensors().mapValues { try $0.bytes() } == first.tensors().mapValues { try $0.bytes() })
    for step in 1..<3 { #expect(try second.step(try twin.batch(step), twin.settings) == reports[step]) }
    #expect(try second.tensors().mapValues { try $0.bytes() } == straight.tensors().mapValues { try $0.bytes() })
  }

  @Test func damagedSaves() throws {
    let twin = try TwinCase("sae-jumprelu")
    let state = try twin.state(NativeBackend(threads: 1))
    let folder = try TemporaryDirectory()
    let file = folder.url.appending(path: "state.safetensors")
    for (name, change) in [
      ("source.0.encoder.second", nil), ("decoder_bias.value", try Tensor([1, 2, 3], shape: [3])),
      ("counters", try Tensor(integers: [Int64(-1), 5], shape: [2])),
      ("source.0.last_step", try Tensor([1], shape: [1])),
    ] as [(String, Tensor?)] {
      var tensors = try state.tensors()
      tensors[name] = change
      try SafetensorsWriter.write(tensors, to: file)
      #expect(throws: TrainingError.self, "\(name)") { try state.restore([try SafetensorsFile(file)]) }
    }
    #expect(throws: TrainingError.self) { try state.restore([]) }
  }

  /// A batch with a NaN or an infinity is reported and changes nothing.
  @Test(arguments: ["sae-jumprelu", "sae-batchtopk-aux", "clt-affine-batchtopk"], [Float.nan, .infinity])
  func notFinite(name: String, value: Float) throws {
    let twin = try TwinCase(name)
    let state = try twin.state(NativeBackend(threads: 2))
    _ = try state.step(try twin.batch(0), twin.settings)
    let before = try state.tensors().mapValues { try $0.bytes() }
    let batch = try twin.batch(1)
    var values = try batch.targets[0].read()
    values[5] = value
    let bad = try Tensor(values, shape: batch.targets[0].shape)
    let report = try state.step(
      TrainingBatch(
        inputs: twin.shape.kind == .sae ? [bad] : batch.inputs, targets: [bad] + batch.targets.dropFirst()),
      twin.settings)
    #expect(!report.isFinite)
    #expect(try state.tensors().mapValues { try $0.bytes() } == before)
  }

  @Test func wrongBatches() throws {
    let twin = try TwinCase("sae-jumprelu")
    let state = try twin.state(NativeBackend(threads: 1))
    let good = try twin.batch(0)
    let narrow = try Tensor([1, 2, 3], shape: [1, 3])
    for batch in [
      TrainingBatch(inputs: [], targets: []), TrainingBatch(sae: narrow),
      TrainingBatch(inputs: good.inputs, targets: [try good.targets[0].rows(0..<3)]),
    ] { #expect(throws: TrainingError.self) { try state.step(batch, twin.settings) } }
    var settings = twin.settings
    settings.bandwidth = 0
    #expect(throws: TrainingError.self) { try state.step(good, settings) }
    settings = twin.settings
    settings.learningRate = .nan
    #expect(throws: TrainingError.self) { try state.step(good, settings) }
  }

  @Test func wrongSettings() throws {
    let backend = try NativeBackend(threads: 1)
    let shape = try TrainingShape(kind: .sae, width: 8, inputWidth: 4, outputWidth: 4)
    for objective in [
      TrainingObjective(activation: .topK, prefixes: [.init(size: 3)]),
      TrainingObjective(activation: .topK, prefixes: [.init(size: 5), .init(size: 5), .init(size: 8)]),
      TrainingObjective(activation: .topK, prefixes: [.init(size: 8, weight: -1)]),
      TrainingObjective(activation: .topK, frequencyScale: 0),
      TrainingObjective(activation: .topK, auxK: .init(k: 0, deadAfterTokens: 4)),
    ] {
      #expect(throws: TrainingError.self) {
        try TrainingState(shape: shape, objective: objective, normalisation: .none(shape), backend: backend)
      }
    }
    #expect(throws: TrainingError.self) { try TrainingShape(kind: .sae, width: 8, inputWidth: 4, outputWidth: 5) }
    #expect(throws: TrainingError.self) {
      try TrainingShape(kind: .sae, sources: 2, width: 8, inputWidth: 4, outputWidth: 4)
    }
    #expect(throws: TrainingError.self) {
      try TrainingShape(kind: .sae, width: 8, inputWidth: 4, outputWidth: 4, isAffine: true)
    }
    #expect(throws: TrainingError.self) { try FeatureShard(rank: 2, count: 2) }
    let transcoder = try TrainingShape(kind: .transcoder, width: 8, inputWidth: 4, outputWidth: 5)
    let state = try TrainingState(
      shape: transcoder, objective: .init(activation: .topK), normalisation: .none(transcoder), backend: backend)
    #expect(throws: TrainingError.self) { try state.initialise(Initialisation(seed: 1, encoder: .decoder)) }
  }

  /// Centred encoder biases make the mean of the batch encode to 0.
  @Test func centredEncoderBias() throws {
    let shape = try TrainingShape(kind: .crosscoder, sources: 2, width: 40, inputWidth: 9, outputWidth: 9)
    let scales = Normalisation(inputs: [2, 5], targets: [3, 1])
    let state = try TrainingState(
      shape: shape, objective: .init(activation: .topK), normalisation: scales, backend: NativeBackend(threads: 2))
    try state.initialise(Initialisation(seed: 3, encoder: .independent))
    var random = SeededRandom(seed: 8)
    let tensors = try (0..<2).map { source in
      try Tensor(random.floats(200 * 9).map { $0 + Float(source + 1) }, shape: [200, 9])
    }
    try state.initialiseEncoderBias(TrainingBatch(inputs: tensors, targets: tensors))
    let saved = try state.tensors()
    for source in 0..<2 {
      let rows = try tensors[source].read()
      let mean = (0..<9).map { j in (0..<200).reduce(0) { $0 + rows[$1 * 9 + j] } / 200 / scales.inputs[source] }
      let encoder = try #require(saved["source.\(source).encoder.value"]).read()
      let bias = try #require(saved["source.\(source).encoder_bias.value"]).read()
      #expect(bias.contains { abs($0) > 0.01 })
      for i in 0..<40 {
        let encoded = (0..<9).reduce(bias[i]) { $0 + encoder[i * 9 + $1] * mean[$1] }
        #expect(abs(encoded) < 1e-5)
      }
    }
  }

  /// A bias rate multiplies how far encoder biases move, and nothing else.
  @Test(arguments: ["sae-jumprelu", "transcoder-topk-aux"]) func biasRate(name: String) throws {
    let twin = try TwinCase(name)
    let before = try twin.state(NativeBackend(threads: 1)).tensors()
    func after(_ rate: Float) throws -> [String: Tensor] {
      let state = try twin.state(NativeBackend(threads: 1))
      var settings = twin.settings
      settings.biasRate = rate
      _ = try state.step(try twin.batch(0), settings)
      return try state.tensors()
    }
    let (whole, slow) = (try after(1), try after(0.25))
    let bias = "source.0.encoder_bias.value"
    for (name, tensor) in whole where name != bias { #expect(try slow[name]?.bytes() == tensor.bytes(), "\(name)") }
    let values = try [before, whole, slow].map { try #require($0[bias]).read() }
    #expect(values[0] != values[1])
    for i in values[0].indices {
      #expect(abs((values[2][i] - values[0][i]) - 0.25 * (values[1][i] - values[0][i])) < 1e-6)
    }
  }

  /// Calibrated thresholds let through, on the batch they were measured on, as many features as asked.
  @Test(arguments: [Float(1), 4, 7.5]) func calibration(targetL0: Float) throws {
    let shape = try TrainingShape(kind: .crosscoder, sources: 2, width: 40, inputWidth: 9, outputWidth: 9)
    let state = try TrainingState(
      shape: shape, objective: .init(activation: .jumpReLU), normalisation: .none(shape),
      backend: NativeBackend(threads: 2))
    try state.initialise(Initialisation(seed: 3, encoder: .decoder))
    var random = SeededRandom(seed: 8)
    let tensors = try (0..<2).map { _ in try Tensor(random.floats(200 * 9), shape: [200, 9]) }
    let batch = TrainingBatch(inputs: tensors, targets: tensors)
    try state.calibrateThresholds(batch, targetL0: targetL0)
    let report = try state.gradients(batch, StepSettings(learningRate: 0, targetL0: targetL0)).report
    #expect(abs(report.l0 - Double(targetL0)) <= 0.02)
    #expect(throws: TrainingError.self) { try state.calibrateThresholds(batch, targetL0: 79) }
  }
}
