import Dictionaries
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct AtlasSearchTests {
  private typealias Tool = CommandLineTool
  private let place: AtlasPlace
  private let atlas: String
  private static let path = AtlasPlace.sae
  private var directory: TemporaryDirectory { place.directory }

  init() throws {
    place = try AtlasPlace(documents: 30, words: 1000, suffix: " zebra")
    atlas = place.path("atlas.sqlite")
    try place.built(atlas, tokens: 900)
  }

  private func search(_ arguments: [String]) throws -> Tool.Result {
    try Tool.run(["atlas", "search", atlas] + arguments)
  }

  private func results(_ arguments: [String]) throws -> [[String: Any]] {
    let result = try search(arguments + ["--json"])
    #expect(result.status == 0, "\(result.errors)")
    let document = try result.json()
    #expect(document["schema"] as? Int == 1 && document["seconds"] is Double && document["query"] is [String: Any])
    return try #require(document["results"] as? [[String: Any]])
  }

  @Test func wordsAreFound() throws {
    let found = try results(["--words", "zebra", "--top-k", "7"])
    #expect(found.count == 7 && found.allSatisfy { $0["example"] is [String: Any] && $0["rate"] is Double })
    let own = try results(["--words", "zebra", "--dictionary", "heads"])
    #expect(!own.isEmpty && own.allSatisfy { $0["dictionary"] as? String == "heads" })
    #expect(try results(["--words", "xyzzy"]).isEmpty)
    #expect(try search(["--words", "xyzzy"]).output == "no feature found\n")
    #expect(try search(["--words", "zebra"]).output.contains("bm25"))
    let bad = try search(["--words", "\""])
    #expect(bad.status == 1 && bad.errors.contains("words"), "\(bad.errors)")
  }

  @Test func textIsFoundFromTheRecordedAndTheGivenPlace() throws {
    let arguments = ["--model", Tool.model, "--text", "word17 zebra and words"]
    let found = try results(arguments)
    #expect(!found.isEmpty)
    let bits = found.compactMap { $0["bits"] as? Double }
    #expect(bits.count == found.count && bits == bits.sorted(by: >))
    #expect(found.allSatisfy { ($0["value"] as? Double ?? 0) > 0 && ($0["position"] as? Int ?? 0) > 0 })
    let one = try results(arguments + ["--position", "2"])
    #expect(!one.isEmpty && one.allSatisfy { $0["position"] as? Int == 2 })
    let sae = try results(arguments + ["--dictionary", "sae=" + Self.path])
    #expect(!sae.isEmpty && sae.allSatisfy { $0["dictionary"] as? String == "sae" })
    let named = try results(arguments + ["--dictionary", "sae"])
    #expect(named.compactMap { $0["index"] as? Int } == sae.compactMap { $0["index"] as? Int })
    #expect(try search(arguments).output.contains("bits"))
    for (more, text) in [
      (["--position", "0"], "special"), (["--position", "999"], "--position"),
      (["--dictionary", "other=" + Self.path], "other"),
      (["--dictionary", "sae=" + Self.path, "--dictionary", "other=" + Self.path], "other"),
    ] {
      let result = try search(arguments + more)
      #expect(result.status != 0 && result.errors.contains(text), "\(result.errors)")
    }
  }

  /// A text may come from any of the places from which every command takes it.
  @Test func textsOfAllKindsAreSearched() throws {
    let model = ["--model", Tool.model]
    let first = "word17 zebra and words"
    let byText = try search(model + ["--text", first, "--json"]).json()
    func names(_ document: [String: Any]) -> [String] {
      (document["results"] as? [[String: Any]] ?? []).map { "\($0["dictionary"] ?? "")#\($0["index"] ?? "")" }
    }
    let tokens = try #require(byText["tokens"] as? [[String: Any]])
    let ids = tokens.compactMap { $0["id"] as? Int }.map(String.init).joined(separator: ",")
    let file = try directory.write(Array(first.utf8), as: "text.txt").path
    let byTokens = try search(model + ["--tokens", ids, "--json"]).json()
    let byFile = try search(model + ["--file", file, "--json"]).json()
    #expect(!names(byText).isEmpty && names(byTokens) == names(byText) && names(byFile) == names(byText))
    #expect((byFile["query"] as? [String: Any])?["file"] as? String == file)
    let turns = #"[{"role":"user","content":"word17 zebra"},{"role":"model","content":"and words"}]"#
    let chat = try directory.write(Array("{\"messages\":\(turns)}".utf8), as: "chat.json").path
    let byChat = try search(model + ["--chat", chat, "--json"]).json()
    let roles = (byChat["tokens"] as? [[String: Any]])?.compactMap { $0["role"] as? String } ?? []
    #expect(!names(byChat).isEmpty && roles.contains("user") && roles.contains("model"))
    #expect(try search(model + ["--chat", chat]).output.contains("bits"))
    let lines = "{\"id\":\"a\",\"text\":\"\(first)\"}\n{\"id\":2,\"messages\":\(turns)}\n"
    let texts = try directory.write(Array(lines.utf8), as: "texts.jsonl").path
    let many = try search(model + ["--texts", texts]).jsonLines()
    #expect(many.count == 2 && many[0]["id"] as? String == "a" && many[1]["id"] as? Int == 2)
    #expect(names(many[0]) == names(byText) && names(many[1]) == names(byChat))
  }

  @Test func directionsAreFound() throws {
    let dictionary = try SparseDictionary(
      contentsOf: URL(filePath: Self.path), name: "sae", backend: NativeBackend(threads: 1))
    let row = try dictionary.decoderRow(read: 0, feature: 11, write: 0)
    let header = Array(
      "{\"v\":{\"dtype\":\"F32\",\"shape\":[\(row.count)],\"data_offsets\":[0,\(row.count * 4)]}}".utf8)
    let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
    let numbers = row.flatMap { number in withUnsafeBytes(of: number.bitPattern.littleEndian) { Array($0) } }
    let file = try directory.write(length + header + numbers, as: "v.safetensors").path
    let found = try results(["--vector", file + "#v", "--site", "resid_post.3"])
    #expect(found.count == 20 && found[0]["index"] as? Int == 11 && found[0]["dictionary"] as? String == "sae")
    #expect(abs((found[0]["score"] as? Double ?? 0) - 1) < 1e-3)

    let texts = ["--model", Tool.model, "--plus", "word17 zebra", "--minus", "other things"]
    let there = try results(texts + ["--site", "resid_post.3", "--top-k", "90"])
    let back = try results([
      "--model", Tool.model, "--plus", "other things", "--minus", "word17 zebra", "--site", "resid_post.3", "--top-k",
      "90",
    ])
    #expect(there.count == 90 && there.first?["index"] as? Int == back.last?["index"] as? Int)
    let heads = try results(texts + ["--site", "attn_out.5", "--encoder", "--last"])
    #expect(!heads.isEmpty && heads.allSatisfy { $0["dictionary"] as? String == "heads" })
    #expect(try !results(texts + ["--site", "attn_out.5"]).isEmpty)
    let same = try search(["--model", Tool.model, "--plus", "a", "--minus", "a", "--site", "resid_post.3"])
    #expect(same.status == 1 && same.errors.contains("direction"), "\(same.errors)")
  }

  @Test func filtersLeaveOut() throws {
    let explained = try Tool.run(["explain", atlas])
    try #require(explained.status == 0, "\(explained.errors)")
    let all = try results(["--words", "fires", "--top-k", "200"])
    let sites = try results(["--words", "fires", "--site", "attn_out.5", "--top-k", "200"])
    #expect(!sites.isEmpty && sites.count < all.count)
    #expect(sites.allSatisfy { $0["dictionary"] as? String == "heads" })
    let rare = try results(["--words", "fires", "--max-rate", "0.05", "--top-k", "200"])
    #expect(rare.count == all.count { ($0["rate"] as? Double ?? 1) <= 0.05 } && rare.count < all.count)
    // Some label is at least as good as their mean, and some were not tested.
    let mean = try #require(try Tool.run(["info", atlas, "--json"]).json()["mean_label_score"] as? Double)
    let good = try results(["--words", "fires", "--min-score", "\(mean)", "--top-k", "200"])
    #expect(!good.isEmpty && good.count < all.count, "\(good.count) of \(all.count)")
    let difference = ["--model", Tool.model, "--plus", "word17 zebra", "--minus", "others", "--site", "resid_post.3"]
    let near = try results(difference + ["--top-k", "90"])
    let quiet = try results(difference + ["--max-rate", "0.1", "--top-k", "90"])
    #expect(quiet.count == near.count { ($0["rate"] as? Double ?? 1) <= 0.1 } && quiet.count < near.count)
  }

  @Test(arguments: [
    [], ["--words", "a", "--text", "b"], ["--text", "a", "--chat", "b"], ["--words", "a", "--chat", "b"],
    ["--plus", "a", "--site", "resid_post.3"],
    ["--vector", "x", "--site", "embed"],
    ["--vector", "x#y"], ["--words", "a", "--position", "1"], ["--words", "a", "--top-k", "0"],
    ["--text", "a", "--min-score", "2"], ["--words", "a", "--max-rate", "-1"], ["--words", "a", "--max-rate", "nan"],
    ["--words", "a", "--site", "layer 3"], ["--words", "a", "--encoder"],
    ["--vector", "x#y", "--last", "--site", "embed"],
  ])
  func wrongUsageIsTold(_ arguments: [String]) throws {
    let result = try search(arguments)
    #expect(result.status == 2 && !result.errors.isEmpty, "\(result.errors)")
  }
}
