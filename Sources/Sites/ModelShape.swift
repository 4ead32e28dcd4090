/// The sizes of a model that decide what fits its sites.
public struct ModelShape: Hashable, Sendable {
  /// Number of layers.
  public let layers: Int
  /// Width of the residual stream (d_model).
  public let width: Int
  /// Heads × head_dim: the width of `attn_out`, often not `width`.
  public let attentionWidth: Int
  /// Rows of the embedding, the tokenizer's ids and any padding.
  public let vocabularySize: Int

  /// The sizes of a model; nothing is checked.
  public init(layers: Int, width: Int, attentionWidth: Int, vocabularySize: Int) {
    self.layers = layers
    self.width = width
    self.attentionWidth = attentionWidth
    self.vocabularySize = vocabularySize
  }

  /// Length of one activation at `site`.
  public func width(of site: Site) -> Int { site.kind == .attnOut ? attentionWidth : width }

  /// - Throws: `SiteError.layer` when the model lacks the site's layer.
  public func validate(_ site: Site) throws {
    guard site.kind == .embed || 0..<layers ~= site.layer else { throw SiteError.layer(site: site, layers: layers) }
  }

  /// Every site of the model, in order of execution.
  public var sites: [Site] {
    [.embed]
      + (0..<max(layers, 0)).flatMap { [Site.attnOut($0), .mlpIn($0), .mlpOut($0), .residPost($0)] }
  }
}
