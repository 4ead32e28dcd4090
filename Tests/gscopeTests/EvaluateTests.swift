import Foundation
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct EvaluateTests {
  private typealias Tool = CommandLineTool

  private static let sae = "resid_post/layer_3_width_37_l0_small"
  private static let crosscoder = "crosscoder/layer_1_2_4_6_width_148_l0_medium"

  private func corpus(_ directory: TemporaryDirectory) throws -> String {
    var random = SeededRandom(seed: 1)
    let lines = (0..<12).map { _ in
      "{\"text\":\"\((0..<40).map { _ in "word\(random.int(0...999))" }.joined(separator: " "))\"}\n"
    }
    return try directory.write(Array(lines.joined().utf8), as: "texts.jsonl").path
  }

  private func evaluate(_ corpus: String, _ more: [String]) throws -> Tool.Result {
    try Tool.run(
      ["evaluate", "--model", Tool.model, "--corpus", corpus, "--context", "32", "--tokens", "200", "--loss-tokens", "64"]
        + more)
  }

  @Test func figuresArePrintedAndWritten() throws {
    let directory = try TemporaryDirectory()
    let output = directory.url.appending(path: "evaluated")
    let result = try evaluate(
      corpus(directory),
      [
        "--dictionary", Tool.dictionary(Self.sae), "--dictionary", "cross=\(Tool.dictionary(Self.crosscoder))",
        "--splice", "both", "--output", output.path, "--json",
      ])
    #expect(result.status == 0, "\(result.errors)")
    let json = try result.json()
    #expect(json["schema"] as? Int == 1 && json["loss_tokens"] as? Int == 64 && json["loss_sequences"] as? Int == 2)
    let dictionaries = try #require(json["dictionaries"] as? [[String: Any]])
    #expect(dictionaries.count == 2 && dictionaries[1]["name"] as? String == "cross")
    #expect((dictionaries[1]["sites"] as? [[String: Any]])?.count == 4)
    for dictionary in dictionaries {
      let metrics = try #require(dictionary["metrics"] as? [String: [String: Any]])
      #expect(
        Set(metrics.keys) == [
          "l0", "mse", "fvu", "explained_variance", "cosine", "reconstruction_bias", "norm_ratio",
        ])
      let (fvu, explained) = (metrics["fvu"]?["value"] as? Double, metrics["explained_variance"]?["value"] as? Double)
      #expect(abs(try #require(fvu) + (try #require(explained)) - 1) < 1e-9)
      #expect((metrics["fvu"]?["n"] as? Int ?? 0) > 5)
      let recovered = try #require((dictionary["splice"] as? [String: Any])?["recovered"] as? [[String: Any]])
      #expect(recovered.map { $0["baseline"] as? String } == ["mean", "zero"])
      for one in recovered { #expect(Set(one.keys) == ["baseline", "value", "delta_loss", "baseline_delta_loss"]) }
    }
    #expect(((json["set"] as? [String: Any])?["shared_writes"] as? [Any])?.isEmpty == true)
    #expect(!result.errors.contains("--splice"))
    let positions = try #require(dictionaries[0]["positions"] as? [[String: Any]])
    for position in positions {
      let metrics = try #require(position["metrics"] as? [String: [String: Any]])
      #expect(metrics.count == 7 && metrics["fvu"]?["value"] as? Double == position["fvu"] as? Double)
    }
    let spliced = try #require((dictionaries[0]["splice"] as? [String: Any])?["positions"] as? [[String: Any]])
    for position in spliced {
      let metrics = try #require(position["metrics"] as? [String: [String: Any]])
      #expect(Set(metrics.keys) == ["delta_loss", "kl"])
      #expect(metrics["delta_loss"]?["value"] as? Double == position["delta_loss"] as? Double)
    }
    #expect((json["set"] as? [String: Any])?["sites"] as? [String] == (1...6).filter { $0 != 5 }.map { "resid_post.\($0)" })
    let written = try Data(contentsOf: output.appending(path: "evaluation.json"))
    #expect(String(decoding: written, as: UTF8.self) == result.output)
    let page = try String(contentsOf: output.appending(path: "report.html"), encoding: .utf8)
    #expect(page.contains("<svg") && page.contains("cross") && !page.contains("http-equiv") && !page.contains("src="))
    // Nothing on the page is fetched from elsewhere.
    let links = page.components(separatedBy: "http").dropFirst().filter { !$0.hasPrefix("://www.w3.org/2000/svg") }
    #expect(links.isEmpty)
    let people = try evaluate(corpus(directory), ["--dictionary", Tool.dictionary(Self.sae)])
    #expect(people.status == 0 && people.output.contains("delta loss") && people.output.contains(Self.sae))
  }

  /// Of two dictionaries that write one site the last one stays: that is said.
  @Test func aSiteWrittenTwiceIsWarnedOf() throws {
    let directory = try TemporaryDirectory()
    let path = Tool.dictionary(Self.sae)
    let twice = ["--dictionary", "first=\(path)", "--dictionary", "second=\(path)", "--splice", "set"]
    let result = try evaluate(corpus(directory), twice + ["--json"])
    #expect(result.status == 0 && result.errors.contains("resid_post.3 (first, second)"), "\(result.errors)")
    let shared = try #require((try result.json()["set"] as? [String: Any])?["shared_writes"] as? [[String: Any]])
    #expect(shared.count == 1 && shared[0]["site"] as? String == "resid_post.3")
    #expect(shared[0]["dictionaries"] as? [String] == ["first", "second"])
  }

  /// A folder with a suite.json stands for all that match.
  @Test func aSuiteIsAllItsDictionaries() throws {
    let directory = try TemporaryDirectory()
    let affine = "transcoder/layer_4_width_53_l0_small_affine"
    let kinds = [(Self.sae, "sae", "\"resid_post.3\"", 37, false), (affine, "transcoder", "\"mlp_in.4\",\"mlp_out.4\"", 53, true)]
    let entries = try kinds.map { path, kind, sites, width, isAffine -> String in
      let target = directory.url.appending(path: path)
      try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: URL(filePath: Tool.dictionary(path)), to: target)
      return "{\"path\":\"\(path)\",\"kind\":\"\(kind)\",\"sites\":[\(sites)],\"width\":\(width),\"affine\":\(isAffine)}"
    }
    let text = "{\"schema\":1,\"model\":{\"name\":\"tiny\"},\"dictionaries\":[\(entries.joined(separator: ","))]}"
    _ = try directory.write(Array(text.utf8), as: "suite.json")
    let texts = try corpus(directory)
    func names(_ more: [String]) throws -> [String] {
      let json = try evaluate(texts, ["--dictionary", directory.url.path, "--splice", "none", "--json"] + more).json()
      return try #require(json["dictionaries"] as? [[String: Any]]).compactMap { $0["name"] as? String }
    }
    #expect(try names([]) == [Self.sae, affine])
    #expect(try names(["--affine"]) == [affine])
    let none = try evaluate(texts, ["--dictionary", directory.url.path, "--at", "resid_post.5"])
    #expect(none.status != 0 && none.errors.contains("resid_post.5"), "\(none.errors)")
    let named = try evaluate(texts, ["--dictionary", "x=\(directory.url.path)"])
    #expect(named.status == 2 && named.errors.contains("'x'"), "\(named.errors)")
  }

  @Test func mistakesAreNamed() throws {
    let directory = try TemporaryDirectory()
    let texts = try corpus(directory)
    let file = try directory.write([1], as: "file")
    let dictionary = ["--dictionary", Tool.dictionary(Self.sae)]
    for (arguments, status, text) in [
      ([], 2, "--dictionary"), (dictionary + ["--tokens", "1"], 2, "--tokens"),
      (dictionary + ["--loss-tokens", "0"], 2, "--loss-tokens"),
      (dictionary + ["--norm-filter", "0.5"], 2, "--norm-filter"), (dictionary + ["--splice", "most"], 2, "--splice"),
      (dictionary + ["--output", file.path], 1, "file"), (dictionary + dictionary, 2, "layer_3_width_37"),
    ] as [([String], Int32, String)] {
      let result = try Tool.run(["evaluate", "--model", Tool.model, "--corpus", texts] + arguments)
      #expect(result.status == status, "\(arguments): \(result.errors)")
      #expect(result.errors.contains(text), "\(arguments): \(result.errors)")
    }
    let missing = try Tool.run(["evaluate", "--model", Tool.model] + dictionary)
    #expect(missing.status == 2 && missing.errors.contains("--corpus"))
  }
}
