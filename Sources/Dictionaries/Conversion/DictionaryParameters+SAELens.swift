import Checkpoints
import Sites
import Tensors

extension DictionaryParameters {
  /// The files of SAELens 6 (`SAE.load_from_disk`): architectures `jumprelu`, `jumprelu_transcoder` and
  /// `jumprelu_skip_transcoder`. Its hooks are those of the `gemma_3` loader: TransformerLens' names, and Hugging
  /// Face's beside them.
  /// - Throws: `ConversionError.cannotHold` for multi-layer kinds; `DictionaryError.input`.
  func saelensFiles() throws -> DictionaryFiles {
    let layer = try onlyLayer(.saelens)
    let (inputs, width, outputs) = (shape.inputWidth, shape.width, shape.outputWidth)
    let (read, write) = (shape.reads[0], shape.writes[0])
    let isTranscoder = shape.kind == .transcoder
    if isTranscoder, read.kind == .attnOut || write.kind == .attnOut {
      throw ConversionError.cannotHold(layout: .saelens, reason: "its transcoders have no heads, which \(read) has")
    }
    if shape.isAffine, !isTranscoder {
      throw ConversionError.cannotHold(layout: .saelens, reason: "an sae with an affine skip connection")
    }
    func quoted(_ text: String) -> String { JSONText.quoted(text) }
    var metadata = [
      #""sae_lens_version": "6.0.0""#, #""hook_name": \#(quoted(read.transformerLensName))"#,
      #""hf_hook_name": \#(quoted(HookPoint(read).description))"#, #""hook_head_index": null"#,
      #""prepend_bos": true"#,
    ]
    if isTranscoder {
      metadata += [
        #""hook_name_out": \#(quoted(write.transformerLensName))"#,
        #""hf_hook_name_out": \#(quoted(HookPoint(write).description))"#,
      ]
    }
    if let modelName { metadata.insert(#""model_name": \#(quoted(modelName))"#, at: 0) }
    if let targetL0 { metadata.append(#""target_l0": \#(Suite.Entry.text(targetL0))"#) }
    let architecture = isTranscoder ? shape.isAffine ? "jumprelu_skip_transcoder" : "jumprelu_transcoder" : "jumprelu"
    let configuration = """
      {
        "architecture": "\(architecture)",
        "d_in": \(inputs),
        "d_sae": \(width),\(isTranscoder ? "\n  \"d_out\": \(outputs)," : "")
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": false,
        "normalize_activations": "none",
        "reshape_activations": "\(read.kind == .attnOut ? "hook_z" : "none")",
        "metadata": {
          \(metadata.joined(separator: ",\n    "))
        }
      }

      """
    return DictionaryFiles(
      texts: [("cfg.json", Array(configuration.utf8))],
      weights: [
        (
          "sae_weights.safetensors",
          {
            var tensors: [DictionaryFiles.Named] = [
              .init("W_enc", try Tensor(layer.encoder, shape: [inputs, width])),
              .init("b_enc", try Tensor(layer.encoderBias, shape: [width])),
              .init("threshold", try Tensor(layer.threshold, shape: [width])),
              .init("W_dec", try Tensor(layer.decoder, shape: [width, outputs])),
              .init("b_dec", try Tensor(layer.decoderBias, shape: [outputs])),
            ]
            if let skip = layer.skip {
              // SAELens multiplies by the transpose.
              let turned = transposed(skip, rows: inputs, columns: outputs)
              tensors.append(.init("W_skip", try Tensor(turned, shape: [outputs, inputs])))
            }
            return tensors
          }
        )
      ])
  }
}
