import Foundation
import Sites

extension DictionaryParameters {
  /// SAELens: architectures `standard` (ReLU), `jumprelu`, `topk`, and the transcoders. Before version 6 the keys of
  /// `metadata` stood at the top.
  static func saelens(_ folder: URL, site: Site?, threshold: Float?) throws -> DictionaryParameters {
    let fields = try ForeignFields(folder.appending(path: "cfg.json"))
    func refuse(_ reason: String) -> ConversionError { .unreadable(path: fields.path, reason: reason) }
    let architecture = try fields.string("architecture") ?? "standard"
    let known = [
      "standard", "jumprelu", "topk", "transcoder", "skip_transcoder", "jumprelu_transcoder",
      "jumprelu_skip_transcoder",
    ]
    guard known.contains(architecture) else {
      throw refuse("'architecture' is '\(architecture)'; known are \(known.joined(separator: ", "))")
    }
    let activation = try fields.string("activation_fn", "activation_fn_str") ?? "relu"
    guard activation == "relu" || architecture == "topk" else {
      throw refuse("'activation_fn' is '\(activation)', not relu")
    }
    // "expected_average_only_in" is folded into the weights before SAELens saves them; the others act at run time.
    let normalisation = try fields.string("normalize_activations") ?? "none"
    guard ["none", "expected_average_only_in"].contains(normalisation) else {
      throw refuse("'normalize_activations' is '\(normalisation)', which no threshold and weight can stand for")
    }
    guard try fields.bool("rescale_acts_by_decoder_norm") != true else {
      throw refuse("'rescale_acts_by_decoder_norm' is true, which is not done here")
    }
    let isTranscoder = architecture.contains("transcoder")
    let isSkip = architecture.contains("skip")
    let tensors = try ForeignTensors(folder.appending(path: "sae_weights.safetensors"))
    let hasThreshold = architecture.hasPrefix("jumprelu")
    try tensors.expectOnly(
      ["W_enc", "b_enc", "W_dec", "b_dec"] + (hasThreshold ? ["threshold"] : []) + (isSkip ? ["W_skip"] : []))
    let (encoder, axes) = try tensors.read("W_enc", [nil, nil])
    let (inputs, width) = (axes[0], axes[1])
    let (decoder, decoderAxes) = try tensors.read("W_dec", [width, isTranscoder ? nil : inputs])
    let outputs = decoderAxes[1]
    var bias = try tensors.values("b_enc", [width])
    let decoderBias = try tensors.values("b_dec", [outputs])
    // Without the key: true, but transcoders never do it.
    if try !isTranscoder && fields.bool("apply_b_dec_to_input") ?? true {
      for (i, shift) in product(decoderBias, encoder, columns: width).enumerated() {
        bias[i] = Float(Double(bias[i]) - shift)
      }
    }
    let k = architecture == "topk" ? try fields.count("k") ?? fields.count("activation_fn_kwargs.k") : nil
    if architecture == "topk", k == nil { throw refuse("'k' is missing") }
    let layer = Layer(
      encoder: encoder, encoderBias: bias,
      threshold: try hasThreshold
        ? tensors.values("threshold", [width])
        : thresholds(k: k, width: width, stated: k == nil ? nil : threshold, path: fields.path),
      decoder: decoder, decoderBias: decoderBias,
      skip: try isSkip
        ? transposed(tensors.values("W_skip", [outputs, inputs]), rows: outputs, columns: inputs) : nil)
    let (reads, writes) = try sites(fields, site: site, isTranscoder: isTranscoder)
    return try single(
      reads: reads, writes: writes, layer: layer, modelName: fields.string("metadata.model_name", "model_name"),
      targetL0: fields.number("metadata.target_l0"), path: folder.path)
  }

  private static func sites(_ fields: ForeignFields, site: Site?, isTranscoder: Bool) throws -> (Site, Site) {
    func named(_ huggingFace: String?, _ transformerLens: String?) throws -> Site? {
      do {
        // Hugging Face's name is the exact one; SAELens' own loaders do not always have it.
        if let huggingFace, let site = try HookPoint(huggingFace).sites(layerCount: 0).first { return site }
        return try transformerLens.map { try Site(transformerLensName: $0) }
      } catch let error as SiteError {
        throw ConversionError.unreadable(path: fields.path, reason: "names no known site: \(error)")
      }
    }
    let reads =
      try site
      ?? named(fields.string("metadata.hf_hook_name"), fields.string("metadata.hook_name", "hook_name", "hook_point"))
    guard let reads else { throw DictionaryError.unknownSite(path: fields.path) }
    guard isTranscoder else { return (reads, reads) }
    guard reads.kind == .mlpIn || site == nil else {
      throw DictionaryError.site(path: fields.path, reason: "is a transcoder: name mlp_in.N, not \(reads)")
    }
    let writes =
      try site == nil
      ? named(
        fields.string("metadata.hf_hook_name_out"), fields.string("metadata.hook_name_out", "hook_name_out")) : nil
    return (reads, writes ?? .mlpOut(reads.layer))
  }
}
