import Sites
import Tensors

/// The intermediate values of one block, recomputed from the residual stream that entered it and shared by all
/// cotangents. Values are formed when first asked for.
final class BlockValues {
  private let model: GemmaModel
  private let w: LayerWeights
  private let layer: Int
  /// The residual stream entering the block, [n, width].
  let input: Tensor
  let angles: RotaryAngles
  private let replaced: [Site: Tensor]
  private var kept: [String: Tensor] = [:]

  init(model: GemmaModel, recording: Recording, layer: Int) throws {
    self.model = model
    self.layer = layer
    w = model.weights.layers[layer]
    input = recording.streams[layer]
    replaced = recording.replaced
    angles = model.configuration.isGlobal[layer] ? recording.globalAngles : recording.localAngles
  }

  private var backend: any Backend { model.backend }

  private func once(_ name: String, _ make: () throws -> Tensor) throws -> Tensor {
    if let value = kept[name] { return value }
    let value = try make()
    kept[name] = value
    return value
  }

  private func norm(_ x: Tensor, _ gain: Tensor, residual: Tensor? = nil) throws -> Tensor {
    try backend.rmsNorm(x, gain: gain, epsilon: model.configuration.normEpsilon, residual: residual)
  }

  private func normed() throws -> Tensor { try once("normed") { try norm(input, w.inputGain) } }

  /// Queries and keys before their norms.
  func rawProjections() throws -> (q: Tensor, k: Tensor) {
    (
      try once("raw q") { try backend.linear(try normed(), w.query) },
      try once("raw k") { try backend.linear(try normed(), w.key) }
    )
  }

  /// Queries and keys as attention sees them, and values.
  func projections() throws -> (q: Tensor, k: Tensor, v: Tensor) {
    let raw = try rawProjections()
    func rotated(_ x: Tensor, _ gain: Tensor) throws -> Tensor {
      try backend.rope(
        try norm(x, gain), headDimension: model.configuration.headDimension, angles: angles, inverse: false)
    }
    return (
      try once("q") { try rotated(raw.q, w.queryGain) }, try once("k") { try rotated(raw.k, w.keyGain) },
      try once("v") { try backend.linear(try normed(), w.value) }
    )
  }

  /// The output projection, before its norm.
  func projected() throws -> Tensor {
    try once("projected") {
      if let heads = replaced[.attnOut(layer)] { return try backend.linear(heads, w.output) }
      let p = try projections()
      let heads = try backend.attention(
        q: p.q, k: p.k, v: p.v, segments: [0..<input.rows], caches: nil, shape: model.attentionShape(layer))
      return try backend.linear(heads, w.output)
    }
  }

  /// The residual stream between attention and MLP.
  func middle() throws -> Tensor {
    try once("middle") { try norm(try projected(), w.postAttentionGain, residual: input) }
  }

  func mlpIn() throws -> Tensor {
    try once("mlp in") { try replaced[.mlpIn(layer)] ?? norm(try middle(), w.preFeedForwardGain) }
  }

  /// The MLP's output before its norm.
  func mlp() throws -> Tensor {
    try once("mlp") { try backend.gatedMLP(try mlpIn(), gate: w.gate, up: w.up, down: w.down) }
  }
}
