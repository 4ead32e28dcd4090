import Foundation
import TestSupport
import Testing

/// A folder with a corpus of random words and the atlas of it, made by the command.
struct AtlasPlace {
  /// What atlases are made of here.
  static let sae = CommandLineTool.dictionary("resid_post/layer_3_width_37_l0_small")
  static let heads = CommandLineTool.dictionary("attn_out/layer_5_width_53_l0_medium")
  static let both = ["--dictionary", "sae=" + sae, "--dictionary", "heads=" + heads]

  let directory: TemporaryDirectory
  let corpus: String

  /// - Parameters:
  ///   - documents: of 40 words each.
  ///   - words: different ones.
  ///   - suffix: what follows each of them.
  init(documents: Int, words: Int, suffix: String = "") throws {
    directory = try TemporaryDirectory()
    var random = SeededRandom(seed: 1)
    let lines = (0..<documents).map { _ in
      let text = (0..<40).map { _ in "word\(random.int(0...words - 1))\(suffix)" }.joined(separator: " ")
      return "{\"text\":\"\(text)\"}\n"
    }
    corpus = try directory.write(Array(lines.joined().utf8), as: "texts.jsonl").path
  }

  func path(_ name: String) -> String { directory.url.appending(path: name).path }

  /// The arguments of a build.
  func build(_ output: String, tokens: Int, _ more: [String] = AtlasPlace.both) -> [String] {
    [
      "atlas", "build", "--model", CommandLineTool.model, "--corpus", corpus, "--tokens", "\(tokens)", "--context", "64",
      "--output", output,
    ] + more
  }

  /// Builds an atlas, which must succeed.
  func built(_ output: String, tokens: Int, _ more: [String] = AtlasPlace.both) throws {
    let result = try CommandLineTool.run(build(output, tokens: tokens, more))
    try #require(result.status == 0, "\(result.errors)")
  }
}
