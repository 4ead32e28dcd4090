import Checkpoints
import Foundation
import TestSupport
import Testing

/// Dictionaries opened through a suite.
@Suite struct SuiteOptionTests {
  private typealias Tool = CommandLineTool
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let sae = "resid_post/layer_3_width_37_l0_small"
  private static let plain = "transcoder/layer_4_width_53_l0_small"
  private static let affine = "transcoder/layer_4_width_53_l0_small_affine"

  private static func entry(_ path: String, _ kind: String, _ sites: String, _ width: Int, _ more: String = "")
    -> String
  {
    #"{"path":"\#(path)","kind":"\#(kind)","sites":[\#(sites)],"width":\#(width)\#(more)}"#
  }

  private static let entries = [
    entry(sae, "sae", #""resid_post.3""#, 37, #","l0":20,"card":{"l0":7.5,"fvu":0.01}"#),
    entry(plain, "transcoder", #""mlp_in.4","mlp_out.4""#, 53, #","l0":20"#),
    entry(affine, "transcoder", #""mlp_in.4","mlp_out.4""#, 53, #","l0":20,"affine":true"#),
  ]

  /// A suite of fixtures. `model` is what `suite.json` says of it.
  private func makeSuite(model: String = #""name":"tiny""#, entries: [String] = entries) throws -> String {
    for path in [Self.sae, Self.plain, Self.affine] {
      let target = directory.url.appending(path: path)
      try FileManager.default.createDirectory(
        at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
      if !FileManager.default.fileExists(atPath: target.path) {
        try FileManager.default.copyItem(at: URL(filePath: Tool.dictionary(path)), to: target)
      }
    }
    let text = #"{"schema":1,"model":{\#(model)},"dictionaries":[\#(entries.joined(separator: ","))]}"#
    _ = try directory.write(text.utf8, as: "suite.json")
    return directory.url.path
  }

  private func features(_ path: String, _ more: String...) throws -> Tool.Result {
    try Tool.run(
      ["features", "--model", Tool.model, "--dictionary", path, "--tokens", "2,11,57", "--json"] + more)
  }

  private func name(_ result: Tool.Result) throws -> String? {
    #expect(result.status == 0, "\(result.errors)")
    return try (result.json()["dictionaries"] as? [[String: Any]])?.first?["name"] as? String
  }

  @Test func variantsAreChosenByFlags() throws {
    let suite = try makeSuite()
    #expect(try name(features(suite, "--width", "37")) == Self.sae)
    #expect(try name(features(suite, "--width", "53", "--affine")) == Self.affine)
    #expect(try name(features(suite, "--at", "mlp_out.4", "--l0", "small", "--no-affine")) == Self.plain)
    #expect(try name(features("\(suite)/layer_3_width_37_l0_small")) == Self.sae)
    #expect(try name(features("x=\(suite)", "--width", "37")) == "x")
    // A folder that the suite does not list, and a site that replaces what it says.
    let copy = directory.url.appending(path: "copy/\(Self.sae)")
    try FileManager.default.createDirectory(at: copy.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: URL(filePath: Tool.dictionary(Self.sae)), to: copy)
    #expect(try name(features(copy.path)) == Self.sae)
    #expect(try features("\(suite)/\(Self.sae)", "--at", "resid_post.2").status == 0)
    let several = try features(suite, "--width", "53")
    #expect(several.status == 1)
    #expect(several.errors.contains("2 dictionaries for width 53"), "\(several.errors)")
    #expect(several.errors.contains("\n  \(Self.plain)  ") && several.errors.contains("\n  \(Self.affine)  "))
  }

  @Test func theSuiteTellsWhatTheFilesDoNot() throws {
    let mine = directory.url.appending(path: "mine")
    try FileManager.default.createDirectory(at: mine, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      at: URL(filePath: Tool.dictionary(Self.sae)).appending(path: "params.safetensors"),
      to: mine.appending(path: "params.safetensors"))
    let suite = try makeSuite(entries: [Self.entry("mine", "sae", #""resid_post.2""#, 37)])
    let json = try features(suite).json()
    #expect((json["dictionaries"] as? [[String: Any]])?.first?["site"] as? String == "resid_post.2")
  }

  @Test func contradictionsAreErrors() throws {
    for (entry, text) in [
      (Self.entry(Self.sae, "sae", #""resid_post.3""#, 38), "width 38 (in suite.json)"),
      (Self.entry(Self.sae, "sae", #""resid_post.2""#, 37), "sites resid_post.2 (in suite.json)"),
      (Self.entry(Self.affine, "transcoder", #""mlp_in.4","mlp_out.4""#, 53), "no affine skip connection (in"),
      (Self.entry(Self.sae, "transcoder", #""mlp_in.3","mlp_out.3""#, 37), "kind transcoder (in suite.json)"),
    ] {
      let result = try features(makeSuite(entries: [entry]))
      #expect(result.status == 1)
      #expect(result.errors.contains(text), "\(result.errors)")
    }
  }

  @Test func otherWeightsGiveAWarning() throws {
    let hash = try WeightHash.sha256(of: [URL(filePath: Tool.model).appending(path: "model.safetensors")])
    let same = try features(makeSuite(model: #""name":"tiny","sha256":"\#(hash.uppercased())""#), "--width", "37")
    #expect(same.status == 0 && !same.errors.contains("warning"), "\(same.errors)")
    let zeros = String(repeating: "0", count: 64)
    let suite = try makeSuite(model: #""name":"tiny","sha256":"\#(zeros)""#)
    let other = try Tool.run([
      "features", "--model", Tool.model, "--dictionary", "a=\(suite)/\(Self.sae)", "--dictionary",
      "b=\(suite)/\(Self.plain)", "--tokens", "2,11,57", "--json",
    ])
    #expect(other.status == 0, "\(other.errors)")
    let text = "made on other weights of tiny (SHA-256 000000000000…, this model's is \(hash.prefix(12))…)"
    // Once for the suite, not for each of its dictionaries; also where the entry's own folder is named.
    #expect(other.errors.components(separatedBy: text).count == 2, "\(other.errors)")
    #expect(other.errors.hasPrefix("gscope: warning: "))
  }

  @Test func theCardStandsBesideTheFigures() throws {
    let suite = try makeSuite()
    let dictionary = try #require(
      (features(suite, "--width", "37").json()["dictionaries"] as? [[String: Any]])?.first)
    let card = try #require(dictionary["card"] as? [String: Any])
    #expect(card["source"] as? String == "suite.json")
    #expect(card["l0"] as? Double == 7.5 && card["fvu"] as? Double == 0.01)
    #expect(dictionary["fvu_prompt"] is Double)
    let text = try Tool.run([
      "features", "--model", Tool.model, "--dictionary", suite, "--width", "37", "--tokens", "2,11,57",
    ])
    #expect(text.output.contains("when it was made: L0 7.5, FVU 1.00 % (suite.json)"), "\(text.output)")

    func reference() throws -> [String: Any] {
      let result = try Tool.run([
        "verify", "--model", Tool.model, "--dictionary", suite, "--width", "37", "--tokens", "2,11,57,103", "--json",
        "--skip-loss",
      ])
      // Random weights reach no card.
      #expect(result.status == 1 && result.errors.contains("the card says"), "\(result.errors)")
      return try #require(try result.json()["reference"] as? [String: Any])
    }
    #expect(try reference()["source"] as? String == "suite.json")
    #expect(try reference()["fvu"] as? Double == 0.01)
    // What stands beside the weights comes first.
    _ = try directory.write(#"{"card":{"l0":9,"fvu":0.02}}"#.utf8, as: "\(Self.sae)/training.json")
    #expect(try reference()["source"] as? String == "training.json")
    #expect(try reference()["fvu"] as? Double == 0.02)
  }
}
