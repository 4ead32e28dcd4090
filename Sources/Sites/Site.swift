/// A place in the model whose activations can be read, replaced, or coded by a dictionary.
///
/// It prints as `resid_post.9`, `attn_out.9`, `mlp_in.9`, `mlp_out.9` or `embed`; the same text is its JSON form. Sites
/// compare in the order in which the model computes them.
public struct Site: Hashable, Sendable {
  /// Which tensor of a layer. Its values carry no folded gain and no centring: they equal Hugging Face's.
  public enum Kind: String, CaseIterable, Sendable {
    /// Scaled token embeddings, the input of layer 0. Belongs to no layer.
    case embed
    /// Concatenated heads before the output projection: `self_attn.o_proj.input`, heads × head_dim wide.
    case attnOut = "attn_out"
    /// Output of the norm before the MLP, gain included: `pre_feedforward_layernorm.output`.
    case mlpIn = "mlp_in"
    /// What the MLP adds to the residual stream, after its second norm: `post_feedforward_layernorm.output`.
    case mlpOut = "mlp_out"
    /// The residual stream after the whole layer: the layer's `output`.
    case residPost = "resid_post"
  }

  /// Which tensor.
  public let kind: Kind
  /// Layer from 0; 0 for `embed`.
  public let layer: Int

  /// A tensor of a layer.
  /// - Parameter layer: from 0; ignored for `embed`. Whether the model has it is `ModelShape.validate`'s question.
  public init(_ kind: Kind, layer: Int) {
    self.kind = kind
    self.layer = kind == .embed ? 0 : layer
  }

  /// Scaled token embeddings: `embed`.
  public static let embed = Site(.embed, layer: 0)
  /// Concatenated heads of a layer: `attn_out.N`.
  public static func attnOut(_ layer: Int) -> Site { Site(.attnOut, layer: layer) }
  /// What a layer's MLP reads: `mlp_in.N`.
  public static func mlpIn(_ layer: Int) -> Site { Site(.mlpIn, layer: layer) }
  /// What a layer's MLP adds to the residual stream: `mlp_out.N`.
  public static func mlpOut(_ layer: Int) -> Site { Site(.mlpOut, layer: layer) }
  /// The residual stream after a layer: `resid_post.N`.
  public static func residPost(_ layer: Int) -> Site { Site(.residPost, layer: layer) }
}

extension Site: CustomStringConvertible {
  public var description: String { kind == .embed ? kind.rawValue : "\(kind.rawValue).\(layer)" }
}

extension Site: Comparable {
  /// Order of execution: `embed < attn_out.0 < mlp_in.0 < mlp_out.0 < resid_post.0 < attn_out.1 < …`
  public static func < (a: Site, b: Site) -> Bool { (a.layer, a.kind.rank) < (b.layer, b.kind.rank) }
}

extension Site.Kind {
  /// Place within a layer, in order of execution.
  fileprivate var rank: Int {
    switch self {
    case .embed: 0
    case .attnOut: 1
    case .mlpIn: 2
    case .mlpOut: 3
    case .residPost: 4
    }
  }
}

extension Site: Codable {
  public init(from decoder: any Decoder) throws {
    try self.init(decoder.singleValueContainer().decode(String.self))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
