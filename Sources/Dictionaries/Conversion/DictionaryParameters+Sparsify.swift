import Checkpoints
import Sites
import Tensors

extension DictionaryParameters {
  /// The files of EleutherAI's sparsify (`SparseCoder.load_from_disk`). It keeps the k strongest features of a token
  /// where this dictionary has thresholds, so the two agree only where no threshold is above zero (k = F). Otherwise
  /// `topK` must say k. The thresholds are kept beside them in `thresholds.safetensors`, which sparsify does not read
  /// and the way back does.
  ///
  /// sparsify subtracts `b_dec` from what an autoencoder reads: `encoder.bias` = b_enc + b_dec·W_enc makes up for it.
  /// - Throws: `ConversionError.cannotHold`, `.approximate`; `DictionaryError.input`.
  func sparsifyFiles(topK: Int?) throws -> DictionaryFiles {
    let layer = try onlyLayer(.sparsify)
    let (d, width) = (shape.inputWidth, shape.width)
    guard shape.outputWidth == d else {
      throw ConversionError.cannotHold(
        layout: .sparsify, reason: "it reads \(d) numbers and writes \(shape.outputWidth); the layout has one width")
    }
    let isExact = layer.threshold.allSatisfy { $0 <= 0 }
    if let topK, !(1...width ~= topK) {
      throw DictionaryError.input(operation: "sparsify", expected: "a k of 1 to \(width)", found: "\(topK)")
    }
    guard let k = topK ?? (isExact ? width : nil) else {
      let hint = targetL0.map { "; its target L0 is \(Suite.Entry.text($0))" } ?? ""
      throw ConversionError.approximate(
        path: "sparsify",
        reason: "keeps the k strongest features of a token where this dictionary has a threshold for each, so results "
          + "will differ: state k to convert all the same\(hint)")
    }
    let isTranscoder = shape.kind == .transcoder
    var bias = layer.encoderBias
    if !isTranscoder {
      for (i, shift) in product(layer.decoderBias, layer.encoder, columns: width).enumerated() {
        bias[i] = Float(Double(bias[i]) + shift)
      }
    }
    var members = [
      ("activation", "\"topk\""), ("expansion_factor", "\(max(1, width / d))"), ("normalize_decoder", "false"),
      ("num_latents", "\(width)"), ("k", "\(k)"), ("multi_topk", "false"),
      ("skip_connection", shape.isAffine ? "true" : "false"), ("transcode", isTranscoder ? "true" : "false"),
      ("d_in", "\(d)"), ("hf_hook_point_in", JSONText.quoted(HookPoint(shape.reads[0]).description)),
      ("hf_hook_point_out", JSONText.quoted(HookPoint(shape.writes[0]).description)),
    ]
    if let modelName { members.append(("model_name", JSONText.quoted(modelName))) }
    if let targetL0 { members.append(("l0", Suite.Entry.text(targetL0))) }
    let lines = members.map { "  \(JSONText.quoted($0.0)): \($0.1)" }.joined(separator: ",\n")
    return DictionaryFiles(
      texts: [("cfg.json", Array("{\n\(lines)\n}\n".utf8))],
      weights: [
        ("thresholds.safetensors", { [.init("threshold", try Tensor(layer.threshold, shape: [width]))] }),
        (
          "sae.safetensors",
          {
            let rows = transposed(layer.encoder, rows: d, columns: width)
            var tensors: [DictionaryFiles.Named] = [
              .init("encoder.weight", try Tensor(rows, shape: [width, d])),
              .init("encoder.bias", try Tensor(bias, shape: [width])),
              .init("W_dec", try Tensor(layer.decoder, shape: [width, d])),
              .init("b_dec", try Tensor(layer.decoderBias, shape: [d])),
            ]
            if let skip = layer.skip {
              let turned = transposed(skip, rows: d, columns: d)
              tensors.append(.init("W_skip", try Tensor(turned, shape: [d, d])))
            }
            return tensors
          }
        ),
      ])
  }
}
