import Checkpoints
import Foundation
import Sites
import Tensors
import TestSupport

/// A dictionary of any kind as plain arrays, run in the slow and obvious way, in fp64.
struct ReferenceDictionary {
  struct Layer {
    var encoder: [Float]  // [d_in, F]
    var encoderBias: [Float]
    var threshold: [Float]
    var decoder: [Float]  // [F, writes, d_out]
    var decoderBias: [Float]
    var skip: [Float]?  // [d_in, d_out]
  }

  let inputs: Int
  let outputs: Int
  let features: Int
  var layers: [Layer]

  /// Random weights. The decoder is full: also where a read would write to an earlier layer.
  init(
    inputs: Int, outputs: Int, features: Int, layers count: Int = 1, isAffine: Bool = false, random: inout SeededRandom
  ) {
    self.inputs = inputs
    self.outputs = outputs
    self.features = features
    layers = (0..<count).map { _ in
      Layer(
        encoder: random.floats(inputs * features), encoderBias: random.floats(features, scale: 0.5),
        threshold: random.floats(features, scale: 0.5).map { $0 + 0.3 },
        decoder: random.floats(features * count * outputs), decoderBias: random.floats(outputs),
        skip: isAffine ? random.floats(inputs * outputs) : nil)
    }
  }

  /// Dense features [tokens, F] of one read.
  func encode(_ x: [Float], read: Int) -> [Double] {
    let layer = layers[read]
    let tokens = x.count / inputs
    var dense = [Double](repeating: 0, count: tokens * features)
    for token in 0..<tokens {
      for feature in 0..<features {
        var pre = Double(layer.encoderBias[feature])
        for i in 0..<inputs { pre += Double(x[token * inputs + i]) * Double(layer.encoder[i * features + feature]) }
        if pre > Double(layer.threshold[feature]), pre > 0 { dense[token * features + feature] = pre }
      }
    }
    return dense
  }

  /// [tokens, d_out] of one write, from the inputs of all reads.
  func reconstruct(_ x: [[Float]], write: Int) -> [Double] {
    let tokens = x[0].count / inputs
    var y = [Double](repeating: 0, count: tokens * outputs)
    let codes = x.indices.map { encode(x[$0], read: $0) }
    for token in 0..<tokens {
      for o in 0..<outputs {
        var sum = Double(layers[write].decoderBias[o])
        for read in 0...write {
          for feature in 0..<features {
            let row = (feature * layers.count + write) * outputs
            sum += codes[read][token * features + feature] * Double(layers[read].decoder[row + o])
          }
        }
        if let skip = layers[write].skip {
          for i in 0..<inputs { sum += Double(x[write][token * inputs + i]) * Double(skip[i * outputs + o]) }
        }
        y[token * outputs + o] = sum
      }
    }
    return y
  }

  /// Tensors of one file, under the names of Gemma Scope 2.
  func tensors(_ read: Int, isMultiLayer: Bool) throws -> [String: Tensor] {
    let layer = layers[read]
    var tensors = [
      "w_enc": try Tensor(layer.encoder, shape: [inputs, features]),
      "b_enc": try Tensor(layer.encoderBias, shape: [features]),
      "threshold": try Tensor(layer.threshold, shape: [features]),
      "w_dec": try Tensor(
        layer.decoder, shape: isMultiLayer ? [features, layers.count, outputs] : [features, outputs]),
      "b_dec": try Tensor(layer.decoderBias, shape: [outputs]),
    ]
    if let skip = layer.skip { tensors["affine_skip_connection"] = try Tensor(skip, shape: [inputs, outputs]) }
    return tensors
  }

  /// Writes weight files and, when given, `config.json` into `folder`.
  func write(to folder: URL, isMultiLayer: Bool = false, config: String? = nil) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for read in layers.indices {
      let name = isMultiLayer ? "params_layer_\(read).safetensors" : "params.safetensors"
      try SafetensorsWriter.write(tensors(read, isMultiLayer: isMultiLayer), to: folder.appending(path: name))
    }
    if let config { try Data(config.utf8).write(to: folder.appending(path: "config.json")) }
  }
}

/// `config.json` in Gemma Scope 2's form; a nil member is left out.
func configJSON(
  type: String? = "sae", reads: String? = "model.layers.3.output", writes: String? = "model.layers.3.output",
  width: Int? = nil, affine: Bool? = nil, model: String? = "google/gemma-3-270m-pt", extra: String = ""
) -> String {
  var members = [#""architecture":"jump_relu","l0":20"#]
  if let type { members.append(#""type":"\#(type)""#) }
  if let reads { members.append(#""hf_hook_point_in":"\#(reads)""#) }
  if let writes { members.append(#""hf_hook_point_out":"\#(writes)""#) }
  if let width { members.append(#""width":\#(width)"#) }
  if let affine { members.append(#""affine_connection":\#(affine)"#) }
  if let model { members.append(#""model_name":"\#(model)""#) }
  return "{" + members.joined(separator: ",") + extra + "}"
}
