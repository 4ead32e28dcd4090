import Sites
import Testing

/// Hugging Face hook points and TransformerLens names.
struct HookPointTests {
  @Test(arguments: [
    ("model.layers.17.output", Site.residPost(17)), ("model.layers.17.self_attn.o_proj.input", .attnOut(17)),
    ("model.layers.0.pre_feedforward_layernorm.output", .mlpIn(0)),
    ("model.layers.61.post_feedforward_layernorm.output", .mlpOut(61)), ("model.embed_tokens.output", .embed),
  ])
  func singleLayers(_ name: String, _ site: Site) throws {
    let point = try HookPoint(name)
    #expect(point == HookPoint(site))
    #expect(point.sites(layerCount: 1) == [site])
    #expect(HookPoint(site).description == name)
  }

  @Test(arguments: ["model.", "language_model.", "model.language_model.", "language_model.model.", ""])
  func prefixes(_ prefix: String) throws {
    #expect(try HookPoint(prefix + "layers.3.output") == HookPoint(.residPost(3)))
  }

  @Test func severalLayers() throws {
    let list = try HookPoint("model.layers.{5,9,12,15}.output")
    #expect(list.sites(layerCount: 4) == [5, 9, 12, 15].map { .residPost($0) })
    #expect(list.description == "model.layers.{5,9,12,15}.output")
    #expect(try HookPoint("model.layers.{5, 9}.output").layers == .list([5, 9]))
    let all = try HookPoint("model.layers.{all}.pre_feedforward_layernorm.output")
    #expect(all.sites(layerCount: 3) == [.mlpIn(0), .mlpIn(1), .mlpIn(2)])
    #expect(all.sites(layerCount: -1) == [])
    #expect(all.description == "model.layers.{all}.pre_feedforward_layernorm.output")
  }

  @Test(arguments: [
    "", "model", "model.layers", "model.layers.1", "model.layers.x.output", "model.layers.-1.output",
    "model.layers.01.output", "model.layers.99999.output", "model.layers.{}.output", "model.layers.{5,}.output",
    "model.layers.{9,5}.output", "model.layers.{5,5}.output", "model.layers.{5.output", "model.layers.all.output",
    "model.layers.3.mlp.output", "vision.layers.3.output", "model.layers.99999999999999999999.output",
  ])
  func othersAreRefused(_ name: String) {
    let error = #expect(throws: SiteError.self) { try HookPoint(name) }
    #expect(error?.description.hasPrefix("hook point '\(name)': ") == true)
  }

  @Test func transformerLensNamesReadBack() throws {
    for site in ModelShape(layers: 12, width: 4, attentionWidth: 4, vocabularySize: 4).sites {
      #expect(try Site(transformerLensName: site.transformerLensName) == site)
    }
    #expect(Site.attnOut(9).transformerLensName == "blocks.9.attn.hook_z")
    #expect(try Site(transformerLensName: "blocks.9.mlp.hook_in") == .mlpIn(9))
  }

  @Test func normWithoutGainIsNotMLPIn() {
    let error = #expect(throws: SiteError.self) { try Site(transformerLensName: "blocks.9.ln2.hook_normalized") }
    #expect(error?.description.contains("without its gain") == true)
    for name in ["blocks.9.hook_resid_pre", "blocks.x.hook_mlp_out", "hook_pos_embed", "blocks.9"] {
      #expect(throws: SiteError.self) { try Site(transformerLensName: name) }
    }
  }
}
