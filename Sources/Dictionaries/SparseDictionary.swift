public import Foundation
public import Sites
public import Tensors

/// A sparse dictionary of any kind: it turns activations into a few active features and back.
///
/// For one layer, with `f` the features and `x` the input row (Gemma Scope 2 tutorial; JumpReLU, arXiv 2407.14435):
///
///     pre = x @ w_enc + b_enc;   f = pre where pre > threshold and pre > 0, else 0;   y = f @ w_dec + b_dec
///
/// plus `x @ affine_skip_connection` where there is one. In multi-layer kinds every read has its own encoder, and write
/// j sums the decoders of the reads i ≤ j; `b_dec` is added once per write.
///
/// Opening maps the files and reads their small vectors. Matrices are read where they are used: one layer's encoder to
/// encode, the decoder rows of active features to decode. A dictionary larger than memory therefore opens at once and
/// runs layer by layer.
///
/// ```swift
/// let dictionary = try SparseDictionary(contentsOf: folder, backend: backend)
/// let code = try dictionary.encode([residual])
/// let reconstruction = try dictionary.decode(code, inputs: [residual])[0]
/// ```
public final class SparseDictionary: Sendable {
  /// How it is called in output and in interventions.
  public let name: String
  /// The folder, or the npz file.
  public let url: URL
  /// What it reads and writes, and how wide it is.
  public let shape: DictionaryShape
  /// What `config.json` says; without one, nothing.
  public let configuration: DictionaryConfiguration
  /// Model it was trained on as Hugging Face names it, from the configuration or else the path.
  public let modelName: String?
  /// Width as the folder's name gives it (`16k`).
  public let widthLabel: String?
  /// L0 as the folder's name gives it (`small`).
  public let l0Label: String?
  /// A Gemma Scope 1 transcoder reads the norm before the MLP without its gain, which no site holds.
  public let readsNormWithoutGain: Bool
  /// A Gemma Scope 1 dictionary of the embeddings reads them as the table has them; the site `embed` holds them scaled.
  public let readsUnscaledEmbeddings: Bool
  /// Bytes of all weights as stored.
  public let byteCount: Int
  /// Whether matrices are fetched for each use and given back after it.
  public let isStreamed: Bool
  /// What encodes and decodes.
  public let backend: any Backend

  let files: [LayerFile]
  /// As stored, on the host.
  let layers: [DictionaryLayer]
  /// On the backend; nil when streamed.
  let placed: [DictionaryLayer]?
  let maxima: MaximumActivations

  /// Opens a dictionary.
  /// - Parameters:
  ///   - url: a folder in Gemma Scope 2's layout (`params.safetensors`, or `params_layer_i.safetensors` for i = 0 …), a
  ///     folder with `params.npz`, or such a file itself.
  ///   - site: stands in for what configuration and path say, for single-layer kinds: the site read (and written); for
  ///     a transcoder `mlp_in.N` or `mlp_out.N`.
  ///   - entry: what a suite says of it. It fills in what configuration and path leave open, and must agree with what
  ///     is found.
  ///   - residentLimit: bytes of weights above which the dictionary is streamed. Half of this machine's memory when
  ///     nil.
  /// - Throws: `DictionaryError`, `CheckpointError`, `TensorError`.
  public init(
    contentsOf url: URL, name: String? = nil, site: Site? = nil, entry: Suite.Entry? = nil, backend: any Backend,
    residentLimit: Int? = nil
  ) throws {
    let layout = try DictionaryLayout(url)
    let (kind, reads, writes) = try layout.resolve(site: site, entry: entry)
    files = try layout.files.map { try LayerFile($0, format: layout.format) }
    let count = kind.isMultiLayer ? writes.count : nil
    layers = try zip(files, layout.files).enumerated().map { read, pair in
      let (source, path) = (pair.0.source, pair.1.path)
      return try layout.format == .compact
        ? DictionaryLayer(compact: source, path: path, read: read, writes: count)
        : DictionaryLayer(source, path: path, format: layout.format, writes: count)
    }
    shape = try layout.shape(kind, reads, writes, layers)
    byteCount = layers.reduce(0) { $0 + $1.byteCount }
    isStreamed = byteCount > residentLimit ?? Int(clamping: ProcessInfo.processInfo.physicalMemory / 2)
    placed = isStreamed ? nil : try layers.map { try DictionaryLayer($0, on: backend) }
    maxima = MaximumActivations(folder: layout.folder, shape: shape)
    self.name = name ?? entry?.name ?? layout.defaultName
    self.url = url
    self.backend = backend
    configuration = layout.configuration
    modelName = layout.configuration.modelName ?? layout.hints.modelName
    widthLabel = layout.hints.widthLabel
    l0Label = layout.hints.l0Label
    readsNormWithoutGain = layout.format == .gemmaScope1 && kind == .transcoder
    readsUnscaledEmbeddings = layout.format == .gemmaScope1 && reads == [.embed]
    if let entry { try checkAgreement(entry) }
  }

  /// The L0 it was trained for (summed over layers), or measured to have in Gemma Scope 1's path.
  public var targetL0: Double? { configuration.targetL0 ?? l0Label.flatMap(Double.init) }

  /// The files that hold the weights, one for each read; not the configuration.
  package var weightFiles: [URL] { layers.map { URL(filePath: $0.path) } }

  /// - Throws: `DictionaryError.outOfRange`.
  func checkRead(_ read: Int) throws {
    guard layers.indices ~= read else {
      throw DictionaryError.outOfRange(what: "layer", value: read, limit: layers.count)
    }
  }
}
