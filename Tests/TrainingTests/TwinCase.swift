import Checkpoints
import Dictionaries
import Foundation
import Tensors
import TestSupport
import Training

/// A case of the dense fp64 twin (Tools/make_training_fixtures.py).
struct TwinCase {
  static let names = [
    "sae-jumprelu", "sae-batchtopk-aux", "sae-topk-momentum", "transcoder-affine-jumprelu", "transcoder-topk-aux",
    "crosscoder-jumprelu", "crosscoder-jumprelu-aux", "clt-affine-batchtopk",
  ]

  enum Fault: Error { case setting(String) }

  let file: SafetensorsFile
  let shape: TrainingShape
  let objective: TrainingObjective
  let normalisation: Normalisation
  let adam: AdamSettings
  let settings: StepSettings

  init(_ name: String, shard: FeatureShard = .whole) throws {
    let file = try SafetensorsFile(Fixtures.url("training/\(name).safetensors"))
    func text(_ key: String) throws -> String {
      guard let value = file.metadata[key] else { throw Fault.setting(key) }
      return value
    }
    func number(_ key: String) throws -> Float {
      guard let value = Float(try text(key)) else { throw Fault.setting(key) }
      return value
    }
    func whole(_ key: String) throws -> Int { Int(try number(key)) }
    func list(_ key: String) throws -> [Float] { try text(key).split(separator: ",").compactMap { Float($0) } }
    guard let kind = DictionaryKind(rawValue: try text("kind")) else { throw Fault.setting("kind") }
    let activations: [String: TrainingObjective.Activation] = [
      "jumpReLU": .jumpReLU, "topK": .topK, "batchTopK": .batchTopK,
    ]
    guard let activation = activations[try text("activation")] else { throw Fault.setting("activation") }
    shape = try TrainingShape(
      kind: kind, sources: whole("sources"), width: whole("width"), inputWidth: whole("inputs"),
      outputWidth: whole("outputs"), isAffine: whole("affine") == 1, shard: shard)
    let auxK = try whole("aux_k")
    objective = TrainingObjective(
      activation: activation,
      prefixes: try text("prefixes").split(separator: ",").map {
        let parts = $0.split(separator: ":").compactMap { Float($0) }
        return TrainingObjective.Prefix(size: Int(parts[0]), weight: parts[1])
      }, frequencyScale: try number("frequency_scale"),
      auxK: auxK == 0
        ? nil
        : .init(k: auxK, coefficient: try number("aux_coefficient"), deadAfterTokens: try whole("dead_after")))
    normalisation = Normalisation(inputs: try list("in_scales"), targets: try list("out_scales"))
    adam = AdamSettings(beta1: try number("beta1"), beta2: try number("beta2"), epsilon: try number("epsilon"))
    settings = StepSettings(
      learningRate: try number("rate"), thresholdRate: try number("threshold_rate"), sparsity: try number("sparsity"),
      targetL0: try number("target_l0"), frequency: try number("frequency"), bandwidth: try number("bandwidth"),
      k: try whole("k"))
    self.file = file
  }

  /// The twin's state before the first step.
  func state(_ backend: NativeBackend) throws -> TrainingState {
    let state = try TrainingState(
      shape: shape, objective: objective, normalisation: normalisation, adam: adam, backend: backend)
    try state.restore([file])
    return state
  }

  func batch(_ step: Int) throws -> TrainingBatch {
    TrainingBatch(
      inputs: try (0..<shape.sources).map { try file.tensor("batch.\(step).input.\($0)") },
      targets: try (0..<shape.writes).map { try file.tensor("batch.\(step).target.\($0)") })
  }

  func values(_ name: String) throws -> [Float] { try file.tensor(name).read() }

  /// Parameters as files name them, without ".value".
  var parameters: [String] {
    let parts = ["encoder", "encoder_bias", "log_threshold", "decoder"]
    return (0..<shape.sources).flatMap { source in parts.map { "source.\(source).\($0)" } } + ["decoder_bias"]
      + (shape.isAffine ? (0..<shape.sources).map { "skip.\($0)" } : [])
  }
}

extension StepGradients {
  /// By the names that `TwinCase.parameters` has.
  var named: [String: [Float]] {
    var all = ["decoder_bias": decoderBias]
    for (index, source) in sources.enumerated() {
      all["source.\(index).encoder"] = source.encoder.array
      all["source.\(index).encoder_bias"] = source.encoderBias.array
      all["source.\(index).log_threshold"] = source.logThreshold.array
      all["source.\(index).decoder"] = source.decoder.array
    }
    for (index, skip) in skips.enumerated() { all["skip.\(index)"] = skip }
    return all
  }
}
