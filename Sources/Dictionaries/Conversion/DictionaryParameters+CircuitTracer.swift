import Checkpoints
import Sites
import Tensors

extension DictionaryParameters {
  /// The files of circuit-tracer: for a transcoder `layer_N.safetensors` (`load_relu_transcoder`), for a cross-layer
  /// transcoder `W_enc_i.safetensors` and `W_dec_i.safetensors` (`load_clt`); `config.yaml` beside them. A set of
  /// transcoders is a folder of such files for layers 0, 1, and so on.
  /// - Throws: `ConversionError.cannotHold` for other kinds and what its loaders would drop; `DictionaryError.input`.
  func circuitTracerFiles() throws -> DictionaryFiles {
    try check()
    func refusal(_ reason: String) -> ConversionError { .cannotHold(layout: .circuitTracer, reason: reason) }
    guard shape.kind == .transcoder || shape.kind == .clt else {
      throw refusal("its attribution knows transcoders and cross-layer transcoders, not a \(shape.kind.rawValue)")
    }
    guard shape.reads.allSatisfy({ $0.kind == .mlpIn }), shape.writes == shape.reads.map({ .mlpOut($0.layer) }) else {
      throw refusal("it reads mlp_in and writes mlp_out of the same layer, this one \(shape.reads) and \(shape.writes)")
    }
    guard shape.inputWidth == shape.outputWidth else {
      throw refusal("it reads \(shape.inputWidth) numbers and writes \(shape.outputWidth); the layout has one width")
    }
    guard shape.kind == .clt else {
      return DictionaryFiles(
        texts: [("config.yaml", circuitTracerConfiguration("transcoder_set"))],
        weights: [("layer_\(shape.reads[0].layer).safetensors", { try circuitTracerLayer() })])
    }
    guard !shape.isAffine else {
      throw refusal("its loader of cross-layer transcoders reads no affine skip connection")
    }
    guard shape.reads.map(\.layer) == Array(shape.reads.indices) else {
      throw refusal("a cross-layer transcoder there reads every layer from 0, this one \(shape.reads)")
    }
    return DictionaryFiles(
      texts: [("config.yaml", circuitTracerConfiguration("cross_layer_transcoder"))],
      weights: layers.indices.flatMap { read in
        [
          ("W_dec_\(read).safetensors", { try circuitTracerDecoder(read) }),
          ("W_enc_\(read).safetensors", { try circuitTracerEncoder(read) }),
        ]
      })
  }

  /// The hooks as circuit-tracer names those of Gemma 3 in TransformerLens.
  func circuitTracerConfiguration(_ kind: String) -> [UInt8] {
    var lines = ["model_kind: \"\(kind)\""]
    if let modelName { lines.insert("model_name: \(JSONText.quoted(modelName))", at: 0) }
    lines += ["feature_input_hook: \"mlp.hook_in\"", "feature_output_hook: \"hook_mlp_out\""]
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }

  /// circuit-tracer's features pass above their threshold alone, also below zero; here they must be above zero too.
  private func thresholds(_ read: Int) -> [Float] { layers[read].threshold.map { max($0, 0) } }

  func circuitTracerLayer() throws -> [DictionaryFiles.Named] {
    let layer = layers[0]
    let (d, width) = (shape.inputWidth, shape.width)
    var tensors: [DictionaryFiles.Named] = [
      .init("W_enc", try Tensor(transposed(layer.encoder, rows: d, columns: width), shape: [width, d])),
      .init("W_dec", try Tensor(layer.decoder, shape: [width, d])),
      .init("b_enc", try Tensor(layer.encoderBias, shape: [width])),
      .init("b_dec", try Tensor(layer.decoderBias, shape: [d])),
      .init("activation_function.threshold", try Tensor(thresholds(0), shape: [width])),
    ]
    if let skip = layer.skip {
      tensors.append(.init("W_skip", try Tensor(transposed(skip, rows: d, columns: d), shape: [d, d])))
    }
    return tensors
  }

  private func circuitTracerEncoder(_ read: Int) throws -> [DictionaryFiles.Named] {
    let layer = layers[read]
    let (d, width) = (shape.inputWidth, shape.width)
    return [
      .init("W_enc_\(read)", try Tensor(transposed(layer.encoder, rows: d, columns: width), shape: [width, d])),
      .init("b_enc_\(read)", try Tensor(layer.encoderBias, shape: [width])),
      .init("b_dec_\(read)", try Tensor(layer.decoderBias, shape: [d])),
      .init("threshold_\(read)", try Tensor(thresholds(read), shape: [width])),
    ]
  }

  private func circuitTracerDecoder(_ read: Int) throws -> [DictionaryFiles.Named] {
    let (d, writes) = (shape.outputWidth, shape.writes.count)
    let decoder = layers[read].decoder
    var rows: [Float] = []
    rows.reserveCapacity(shape.width * (writes - read) * d)
    for feature in 0..<shape.width {
      let start = (feature * writes + read) * d
      rows += decoder[start..<(feature + 1) * writes * d]
    }
    return [.init("W_dec_\(read)", try Tensor(rows, shape: [shape.width, writes - read, d]))]
  }
}
