extension Site {
  /// The hook's name in TransformerLens: `blocks.9.hook_resid_post`, `blocks.9.attn.hook_z` (heads flattened),
  /// `blocks.9.hook_mlp_in`, `blocks.9.hook_mlp_out`, `hook_embed`.
  public var transformerLensName: String {
    switch kind {
    case .embed: "hook_embed"
    case .attnOut: "blocks.\(layer).attn.hook_z"
    case .mlpIn: "blocks.\(layer).hook_mlp_in"
    case .mlpOut: "blocks.\(layer).hook_mlp_out"
    case .residPost: "blocks.\(layer).hook_resid_post"
    }
  }

  /// Reads a TransformerLens hook name. `mlp.hook_in` is taken as `hook_mlp_in`: tools write both.
  ///
  /// `ln2.hook_normalized` is refused although it stands at the same place: it is the norm's output without its gain,
  /// other numbers than `mlp_in`.
  /// - Throws: `SiteError.transformerLens`.
  public init(transformerLensName name: String) throws {
    if name == "hook_embed" {
      self = .embed
      return
    }
    let parts = name.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "blocks", let layer = layerNumber(parts[1]) else {
      throw SiteError.transformerLens(name: name, reason: "expected hook_embed or blocks.N.…")
    }
    switch parts[2] {
    case "hook_resid_post": self = .residPost(layer)
    case "attn.hook_z": self = .attnOut(layer)
    case "hook_mlp_in", "mlp.hook_in": self = .mlpIn(layer)
    case "hook_mlp_out": self = .mlpOut(layer)
    case "ln2.hook_normalized":
      throw SiteError.transformerLens(
        name: name, reason: "holds the norm's output without its gain, which no site does; mlp_in.\(layer) includes it")
    default:
      throw SiteError.transformerLens(
        name: name,
        reason: "'\(parts[2])' is none of hook_resid_post, attn.hook_z, hook_mlp_in, mlp.hook_in, hook_mlp_out")
    }
  }
}
