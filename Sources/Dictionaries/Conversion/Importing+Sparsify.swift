import Foundation
import Sites

extension DictionaryParameters {
  /// sparsify: `topk`, autoencoders and transcoders. Sites and thresholds come from what this program left beside them,
  /// the site of an autoencoder of the residual stream also from its folder's name (`layers.9`).
  static func sparsify(_ folder: URL, site: Site?, threshold: Float?) throws -> DictionaryParameters {
    let fields = try ForeignFields(folder.appending(path: "cfg.json"))
    func refuse(_ reason: String) -> ConversionError { .unreadable(path: fields.path, reason: reason) }
    let activation = try fields.string("activation") ?? "topk"
    guard activation == "topk" else {
      throw refuse("'activation' is '\(activation)', which thresholds cannot stand for")
    }
    let isTranscoder = try fields.bool("transcode") ?? false
    let isSkip = try fields.bool("skip_connection") ?? false
    let tensors = try ForeignTensors(folder.appending(path: "sae.safetensors"))
    try tensors.expectOnly(["encoder.weight", "encoder.bias", "W_dec", "b_dec"] + (isSkip ? ["W_skip"] : []))
    let (rows, axes) = try tensors.read("encoder.weight", [nil, nil])
    let (width, d) = (axes[0], axes[1])
    let encoder = transposed(rows, rows: width, columns: d)
    var bias = try tensors.values("encoder.bias", [width])
    let decoderBias = try tensors.values("b_dec", [d])
    if !isTranscoder {
      for (i, shift) in product(decoderBias, encoder, columns: width).enumerated() {
        bias[i] = Float(Double(bias[i]) - shift)
      }
    }
    let kept = folder.appending(path: "thresholds.safetensors")
    var limits: [Float]?
    if threshold == nil, FileManager.default.fileExists(atPath: kept.path) {
      limits = try ForeignTensors(kept).values("threshold", [width])
    }
    let layer = Layer(
      encoder: encoder, encoderBias: bias,
      threshold: try limits
        ?? thresholds(k: fields.count("k") ?? 32, width: width, stated: threshold, path: fields.path),
      decoder: try tensors.values("W_dec", [width, d]), decoderBias: decoderBias,
      skip: try isSkip ? transposed(tensors.values("W_skip", [d, d]), rows: d, columns: d) : nil)
    let (reads, writes) = try sparsifySites(fields, folder, site: site, isTranscoder: isTranscoder)
    return try single(
      reads: reads, writes: writes, layer: layer, modelName: fields.string("model_name"),
      targetL0: fields.number("l0") ?? fields.number("k"), path: folder.path)
  }

  private static func sparsifySites(_ fields: ForeignFields, _ folder: URL, site: Site?, isTranscoder: Bool) throws
    -> (Site, Site)
  {
    if let site {
      guard isTranscoder else { return (site, site) }
      guard site.kind == .mlpIn else {
        throw DictionaryError.site(path: fields.path, reason: "is a transcoder: name mlp_in.N, not \(site)")
      }
      return (site, .mlpOut(site.layer))
    }
    do {
      if let reads = try fields.string("hf_hook_point_in"), let writes = try fields.string("hf_hook_point_out"),
        let read = try HookPoint(reads).sites(layerCount: 0).first,
        let write = try HookPoint(writes).sites(layerCount: 0).first
      {
        return (read, write)
      }
    } catch let error as SiteError {
      throw ConversionError.unreadable(path: fields.path, reason: "names no known site: \(error)")
    }
    let parts = folder.lastPathComponent.split(separator: ".", omittingEmptySubsequences: false)
    guard !isTranscoder, parts.count == 2, parts[0] == "layers", let layer = Int(parts[1]), layer >= 0 else {
      throw DictionaryError.unknownSite(path: fields.path)
    }
    return (.residPost(layer), .residPost(layer))
  }
}
