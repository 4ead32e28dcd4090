public import Sites

/// The four kinds of sparse dictionary; they differ only in what they read and write.
public enum DictionaryKind: String, CaseIterable, Sendable, Codable {
  /// Sparse autoencoder: reads and writes one site.
  case sae
  /// Reads an MLP's input, writes its output.
  case transcoder
  /// Reads the residual stream at some layers; a feature of one layer writes to that and later ones (weakly causal).
  case crosscoder
  /// Cross-layer transcoder: reads every MLP's input; a feature of layer i writes to the MLP outputs of layers j ≥ i.
  case clt

  /// Whether it reads several layers (one `params_layer_i.safetensors` each).
  public var isMultiLayer: Bool { self == .crosscoder || self == .clt }
}

/// What a dictionary reads and writes, and how wide it is. One description for all four kinds: a single-layer
/// dictionary has one read and one write.
public struct DictionaryShape: Hashable, Sendable {
  /// Which of the four kinds.
  public let kind: DictionaryKind
  /// Sites read, ascending: read i has its own encoder and its own features.
  public let reads: [Site]
  /// Sites written, ascending; read i contributes to writes j ≥ i.
  public let writes: [Site]
  /// Features of each read (F).
  public let width: Int
  /// Length of one activation at a read.
  public let inputWidth: Int
  /// Length of one activation at a write.
  public let outputWidth: Int
  /// Whether write i adds `x @ affine_skip_connection` of read i.
  public let isAffine: Bool

  /// Features of all reads together: `width` in `config.json`. Cannot overflow: the loader checked it.
  public var totalWidth: Int { width * reads.count }
  /// Whether it reads several layers.
  public var isMultiLayer: Bool { kind.isMultiLayer }
}

extension DictionaryShape: CustomStringConvertible {
  /// For people: `sae of 16384 features, reads resid_post.9 [640], writes resid_post.9 [640]`.
  public var description: String {
    func list(_ sites: [Site]) -> String {
      guard sites.count > 4, let first = sites.first, let last = sites.last else {
        return sites.map(\.description).joined(separator: ", ")
      }
      return "\(first) … \(last)"
    }
    let features = isMultiLayer ? "\(reads.count) × \(width) features" : "\(width) features"
    return "\(kind.rawValue)\(isAffine ? " (affine)" : "") of \(features), reads \(list(reads)) [\(inputWidth)], "
      + "writes \(list(writes)) [\(outputWidth)]"
  }
}
