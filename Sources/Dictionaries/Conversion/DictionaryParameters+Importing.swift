public import Foundation
public import Sites
public import Tensors

extension DictionaryParameters {
  /// Reads a dictionary in any layout known here: Gemma Scope's and the compact form, SAELens (`cfg.json` and
  /// `sae_weights.safetensors`), sparsify (`cfg.json` and `sae.safetensors`), circuit-tracer (`W_enc_i` and `W_dec_i`
  /// files, or a transcoder's `layer_N.safetensors`).
  /// - Parameters:
  ///   - url: its folder, or a file where one file is a dictionary.
  ///   - site: the site read, for layouts that do not tell it.
  ///   - threshold: what a pre-activation must exceed, for layouts that keep the k strongest features instead. States
  ///     that the result may be approximate.
  ///   - backend: opens Gemma Scope's layouts.
  /// - Throws: `ConversionError`, `DictionaryError`, `CheckpointError`, `TensorError`.
  public init(importing url: URL, site: Site? = nil, threshold: Float? = nil, backend: any Backend) throws {
    guard let layout = try ForeignLayout(url) else {
      try self.init(SparseDictionary(contentsOf: url, site: site, backend: backend))
      return
    }
    if let threshold, !threshold.isFinite {
      throw DictionaryError.input(operation: "a threshold", expected: "a finite number", found: "\(threshold)")
    }
    switch layout {
    case .saelens(let folder): self = try Self.saelens(folder, site: site, threshold: threshold)
    case .sparsify(let folder): self = try Self.sparsify(folder, site: site, threshold: threshold)
    case .circuitTracerCLT(let folder, let count): self = try Self.circuitTracerCLT(folder, count: count)
    case .circuitTracerLayer(let file, let layer): self = try Self.circuitTracerLayer(file, layer: layer)
    }
  }

  /// A single-layer dictionary.
  static func single(
    reads: Site, writes: Site, layer: Layer, modelName: String?, targetL0: Double?, path: String
  ) throws -> DictionaryParameters {
    let outputs = layer.decoderBias.count
    let width = layer.encoderBias.count
    let shape = try DictionaryShape(
      checking: reads == writes ? .sae : .transcoder, reads: [reads], writes: [writes], width: width,
      inputWidth: layer.encoder.count / max(width, 1), outputWidth: outputs, isAffine: layer.skip != nil)
    return try DictionaryParameters(shape: shape, layers: [layer], modelName: modelName, targetL0: targetL0)
  }

  /// Thresholds for a layout that keeps the `k` strongest of `width` features: zeros where that is all of them.
  static func thresholds(k: Int?, width: Int, stated: Float?, path: String) throws -> [Float] {
    if let stated { return [Float](repeating: stated, count: width) }
    guard let k, k < width else { return [Float](repeating: 0, count: width) }
    throw ConversionError.approximate(
      path: path,
      reason: "keeps the \(k) strongest of \(width) features and no thresholds, so a threshold for all of them must be "
        + "stated, and results will differ")
  }
}
