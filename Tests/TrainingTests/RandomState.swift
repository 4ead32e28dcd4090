import Checkpoints
import Foundation
import Tensors
import TestSupport
import Training

/// A made-up saved state with ordinary parameters, some dead features and no moments.
struct RandomState: TensorSource {
  let tensors: [String: Tensor]
  /// By the names of `StepGradients.named`.
  let parameters: [String: [Double]]
  let dead: [[Bool]]

  init(_ shape: TrainingShape, random: inout SeededRandom) throws {
    var tensors = [
      "counters": try Tensor(integers: [Int64(0), 1000], shape: [2]), "thresholds": try Tensor([0, -1], shape: [2]),
    ]
    var parameters: [String: [Double]] = [:]
    func put(_ name: String, _ shape: [Int], _ values: [Float]) throws {
      tensors["\(name).value"] = try Tensor(values, shape: shape)
      tensors["\(name).second"] = try Tensor([Float](repeating: 0, count: values.count), shape: shape)
      parameters[name] = values.map(Double.init)
    }
    let (width, inputs) = (shape.width, shape.inputWidth)
    dead = (0..<shape.sources).map { _ in (0..<width).map { _ in random.int(0...9) < 4 } }
    try put("decoder_bias", [shape.totalOutputWidth], random.floats(shape.totalOutputWidth, scale: 0.3))
    for source in 0..<shape.sources {
      let name = "source.\(source)"
      let outputs = shape.columns(ofSource: source).count
      try put("\(name).encoder", [width, inputs], random.floats(width * inputs))
      try put("\(name).encoder_bias", [width], random.floats(width, scale: 0.2))
      try put("\(name).log_threshold", [width], random.floats(width, scale: 0.5).map { $0 - 0.7 })
      try put("\(name).decoder", [width, outputs], random.floats(width * outputs))
      if shape.isAffine {
        try put("skip.\(source)", [inputs, shape.outputWidth], random.floats(inputs * shape.outputWidth, scale: 0.3))
      }
      tensors["\(name).last_step"] = try Tensor(integers: [Int32](repeating: 0, count: width), shape: [width])
      tensors["\(name).last_fired"] = try Tensor(
        integers: dead[source].map { Int64($0 ? 0 : 1000) }, shape: [width])
    }
    self.tensors = tensors
    self.parameters = parameters
  }

  var names: [String] { tensors.keys.sorted() }
  func contains(_ name: String) -> Bool { tensors[name] != nil }
  func path(of name: String) -> String { "memory" }
  func info(_ name: String) throws -> TensorInfo { throw CheckpointError.missingTensor(file: "memory", tensor: name) }
  func tensor(_ name: String) throws -> Tensor {
    guard let tensor = tensors[name] else { throw CheckpointError.missingTensor(file: "memory", tensor: name) }
    return tensor
  }
}
