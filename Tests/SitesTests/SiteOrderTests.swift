import Sites
import TestSupport
import Testing

/// The order of sites, and what a model has.
struct SiteOrderTests {
  @Test func sortsIntoExecutionOrder() {
    let shape = ModelShape(layers: 13, width: 8, attentionWidth: 16, vocabularySize: 32)
    var random = SeededRandom(seed: 4)
    #expect(shape.sites.shuffled(using: &random).sorted() == shape.sites)
    let first = shape.sites.prefix(6).map(\.description)
    #expect(first == ["embed", "attn_out.0", "mlp_in.0", "mlp_out.0", "resid_post.0", "attn_out.1"])
  }

  @Test func layerOfEmbedDoesNotMatter() {
    #expect(Site(.embed, layer: 5) == .embed)
    #expect(Site(.embed, layer: 5).hashValue == Site.embed.hashValue)
  }

  @Test func onlyAttentionOutputHasAnotherWidth() {
    let shape = ModelShape(layers: 26, width: 1152, attentionWidth: 1024, vocabularySize: 262_144)
    for site in shape.sites {
      #expect(shape.width(of: site) == (site.kind == .attnOut ? 1024 : 1152))
    }
  }

  @Test func layersPastTheModelAreRefused() throws {
    let shape = ModelShape(layers: 18, width: 640, attentionWidth: 1024, vocabularySize: 262_144)
    for site in shape.sites { try shape.validate(site) }
    #expect(throws: SiteError.layer(site: .residPost(18), layers: 18)) { try shape.validate(.residPost(18)) }
    #expect(throws: SiteError.self) { try shape.validate(Site(.mlpIn, layer: -1)) }
    #expect(
      SiteError.layer(site: .residPost(18), layers: 18).description
        == "site resid_post.18: the model has layers 0 to 17")
  }
}
