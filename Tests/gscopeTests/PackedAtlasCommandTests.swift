import Foundation
import TestSupport
import Testing

/// Packed atlases and labels from the command line.
@Suite struct PackedAtlasCommandTests {
  private typealias Tool = CommandLineTool
  private let place: AtlasPlace
  private let atlas: String
  private let packed: String
  private static let path = AtlasPlace.sae
  private var directory: TemporaryDirectory { place.directory }

  init() throws {
    place = try AtlasPlace(documents: 40, words: 100, suffix: " zebra")
    (atlas, packed) = (place.path("atlas.sqlite"), place.path("atlas.gsatlas"))
    try place.built(atlas, tokens: 1500, ["--dictionary", "sae=" + Self.path])
    let explained = try Tool.run(["explain", atlas, "--lexical"])
    try #require(explained.status == 0, "\(explained.errors)")
  }

  private func expand(_ output: String, _ more: [String]) throws -> Tool.Result {
    try Tool.run(["atlas", "import", packed, "--model", Tool.model, "--output", output] + more)
  }

  @Test func packedAtlasesAreExpanded() throws {
    let written = try Tool.run(["atlas", "export", atlas, "--to", "packed", "--output", packed, "--top", "4", "--json"])
    #expect(written.status == 0, "\(written.errors)")
    let export = try written.json()
    let parts = try #require(export["parts"] as? [[String: Any]])
    #expect(export["kind"] as? String == "packed" && export["output"] as? String == packed)
    #expect(parts.count > 5 && parts.allSatisfy { $0["name"] is String && $0["bytes"] is Int })
    let size = try FileManager.default.attributesOfItem(atPath: packed)[.size] as? Int
    #expect(export["bytes"] as? Int == size)
    let copy = directory.url.appending(path: "copy.sqlite").path
    let expanded = try expand(copy, ["--dictionary", "sae=" + Self.path, "--json"])
    #expect(expanded.status == 0, "\(expanded.errors)")
    let told = try expanded.json()
    #expect(told["kind"] as? String == "atlas" && told["from"] as? String == "packed" && told["features"] as? Int == 37)
    #expect(told["output"] as? String == copy && (told["bytes"] as? Int ?? 0) > 10_000)
    let check = try Tool.run(["atlas", "check", copy, "--model", Tool.model, "--recount", "300", "--json"])
    #expect(check.status == 0, "\(check.output)\(check.errors)")
    let recount = try #require(try check.json()["recount"] as? [String: Any])
    #expect(recount["differing"] as? Int == 0 && (recount["examples"] as? Int ?? 0) > 20)
    for index in 0..<37 {
      let (a, b) = (
        try Tool.run(["atlas", "show", atlas, "sae#\(index)", "--json"]).json(),
        try Tool.run(["atlas", "show", copy, "sae#\(index)", "--json"]).json()
      )
      #expect(a["count"] as? Int == b["count"] as? Int && a["label"] as? String == b["label"] as? String)
      #expect((b["examples"] as? [Any])?.count == min(4, (a["examples"] as? [Any])?.count ?? 0))
    }
    // Not without its dictionary, and not with another.
    #expect(try expand(copy + "2", []).status == 2)
    let other = try expand(
      copy + "2", ["--dictionary", "sae=" + Tool.dictionary("attn_out/layer_5_width_53_l0_medium")])
    #expect(other.status == 1 && other.errors.contains("'sae'"), "\(other.errors)")
    #expect(try Tool.run(["atlas", "export", copy, "--to", "packed", "--output", packed]).status == 1)
  }

  @Test func featuresHaveLabels() throws {
    let arguments = [
      "features", "--model", Tool.model, "--dictionary", "mine=" + Self.path, "--text", "word3 zebra word7", "--top-k",
      "0",
    ]
    func labels(_ more: [String]) throws -> [Int: String] {
      let result = try Tool.run(arguments + more + ["--json"])
      #expect(result.status == 0, "\(result.errors)")
      let active = try #require(try result.json()["active"] as? [[String: Any]])
      var labels: [Int: String] = [:]
      for feature in active.flatMap({ $0["features"] as? [[String: Any]] ?? [] }) {
        // A label comes with its score or with why it has none.
        let (score, reason) = (feature["label_score"] is Double, feature["label_untested"] is String)
        #expect(feature["label"] is String ? score != reason : !score && !reason)
        labels[feature["index"] as? Int ?? -1] = feature["label"] as? String
      }
      return labels
    }
    #expect(try labels([]).isEmpty)
    let found = try labels(["--atlas", atlas])
    #expect(found.count > 2)
    for (index, label) in found {
      let shown = try Tool.run(["atlas", "show", atlas, "sae#\(index)", "--json"]).json()
      #expect(shown["label"] as? String == label)
    }
    let text = try Tool.run(arguments + ["--atlas", atlas])
    #expect(found.values.contains { text.output.contains($0) }, "\(text.output)")
    #expect(try Tool.run(arguments + ["--atlas", packed]).status == 1)
    // An atlas of other weights is passed over, with a word.
    let other = [
      "features", "--model", Tool.model, "--dictionary",
      "sae=" + Tool.dictionary("attn_out/layer_5_width_53_l0_medium"), "--text", "word3", "--atlas", atlas,
    ]
    let result = try Tool.run(other)
    #expect(result.status == 0 && result.errors.contains("no labels"), "\(result.errors)")
  }
}
