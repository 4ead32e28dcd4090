import Checkpoints

/// A dictionary that cannot be brought from one layout into another as asked.
public enum ConversionError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The layout has no place for something the dictionary needs.
  case cannotHold(layout: DictionaryFormat, reason: String)
  /// The layout would change what the dictionary computes, which must be asked for.
  case approximate(path: String, reason: String)
  /// A folder in another tool's layout that says too little, or something not done here.
  case unreadable(path: String, reason: String)
  /// A place to write to that is taken.
  case occupied(path: String)

  public var description: String {
    switch self {
    case .cannotHold(let layout, let reason): "\(layout.rawValue) cannot hold this dictionary: \(reason.clipped)"
    case .approximate(let path, let reason), .unreadable(let path, let reason): "\(path): \(reason.clipped)"
    case .occupied(let path): "\(path): exists already; expected a new or an empty folder"
    }
  }
}

/// The layouts that dictionaries are written in.
public enum DictionaryFormat: String, CaseIterable, Sendable {
  /// Google's own: `config.json`, `params.safetensors` or `params_layer_i.safetensors`.
  case gemmaScope2 = "gemma-scope-2"
  /// SAELens 6: `cfg.json`, `sae_weights.safetensors`.
  case saelens
  /// EleutherAI's sparsify: `cfg.json`, `sae.safetensors`.
  case sparsify
  /// circuit-tracer: `config.yaml`, `layer_i.safetensors` or `W_enc_i.safetensors` and `W_dec_i.safetensors`.
  case circuitTracer = "circuit-tracer"
  /// This program's int8 rows.
  case compact
}
