import Foundation
import Sites
import TestSupport
import Testing

/// Sites as they print and are read.
struct SiteNameTests {
  @Test func everySitePrintsAndReadsBack() throws {
    let shape = ModelShape(layers: 62, width: 5376, attentionWidth: 4096, vocabularySize: 262_208)
    #expect(shape.sites.count == 1 + 4 * 62)
    for site in shape.sites {
      #expect(try Site(site.description) == site)
    }
    #expect(
      [Site.embed, .attnOut(9), .mlpIn(9), .mlpOut(9), .residPost(9)].map(\.description)
        == ["embed", "attn_out.9", "mlp_in.9", "mlp_out.9", "resid_post.9"])
  }

  @Test(arguments: [
    ("resid_pst.9", "resid_post.9"), ("residpost.17", "resid_post.17"), ("attn.3", "attn_out.3"),
    ("MLP_IN.4", "mlp_in.4"), ("resid_post.09", "resid_post.9"), ("resid_post", "resid_post.0"),
    ("resid_post.-1", "resid_post.1"), ("embed.0", "embed"), ("embeds", "embed"), ("resid_post.9.1", "resid_post.9"),
  ])
  func misspeltNamesNameTheNearest(_ name: String, _ nearest: String) {
    let error = #expect(throws: SiteError.self) { try Site(name) }
    #expect(error?.description == "no site named '\(name)'; nearest: \(nearest)")
  }

  @Test(arguments: [
    "", ".", "resid_post.", ".9", "resid_post.+9", "resid_post. 9", "resid_post.٩", "embed.", "resid_post.9 ",
  ])
  func othersAreRefused(_ name: String) {
    #expect(throws: SiteError.self) { try Site(name) }
  }

  @Test func numbersTooLargeForALayerAreRefused() {
    #expect(throws: SiteError.self) { try Site("resid_post.99999999999999999999999") }
    #expect(throws: SiteError.self) { try Site(String(repeating: "resid_post.", count: 100_000)) }
  }

  @Test func codesAsItsName() throws {
    let sites: [Site] = [.embed, .residPost(9), .attnOut(0)]
    let json = try JSONEncoder().encode(sites)
    #expect(String(decoding: json, as: UTF8.self) == #"["embed","resid_post.9","attn_out.0"]"#)
    #expect(try JSONDecoder().decode([Site].self, from: json) == sites)
    #expect(throws: SiteError.self) { try JSONDecoder().decode([Site].self, from: Data(#"["resid.9"]"#.utf8)) }
  }
}
