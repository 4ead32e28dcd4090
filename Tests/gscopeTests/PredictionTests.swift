import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct PredictionTests {
  private typealias Tool = CommandLineTool

  private static let dumps = Result { try SafetensorsFile(Fixtures.url("gemma/causal/dumps.safetensors")) }

  private func dump(_ name: String) throws -> Tensor { try Self.dumps.get().tensor(name) }

  private func promptIDs() throws -> String {
    try dump("p0.tokens").readIntegers().map(String.init).joined(separator: ",")
  }

  @Test func savedLogitsAreTheReferences() throws {
    let directory = try TemporaryDirectory()
    let file = directory.url.appending(path: "logits.safetensors")
    let result = try Tool.run("logits", "--tokens", try promptIDs(), "--save", file.path, "--json")
    #expect(result.status == 0, "\(result.errors)")
    let saved = try SafetensorsFile(file)
    #expect(try saved.tensor("tokens").readIntegers() == dump("p0.tokens").readIntegers())
    let (ours, reference) = (try saved.tensor("logits"), try dump("p0.logits"))
    #expect(ours.shape == reference.shape)
    let (a, b) = (try ours.read(), try reference.read())
    let scale = b.map(abs).max() ?? 0
    #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 1e-4 * scale })
    let loss = try #require(try result.json()["loss"] as? Double)
    #expect(abs(loss - Double(try dump("p0.loss").read()[0])) < 1e-4)
  }

  @Test func jsonOfPositions() throws {
    let result = try Tool.run(
      "logits", "--tokens", try promptIDs(), "--positions", "0,4", "--top-k", "3", "--json")
    let positions = try #require(try result.json()["positions"] as? [[String: Any]])
    try #require(positions.map { $0["position"] as? Int } == [0, 4])
    #expect(positions[0]["logprob"] is NSNull)
    let ids = try dump("p0.tokens").readIntegers()
    let row = try dump("p0.logits").rows(3..<4).read().map(Double.init)
    let normaliser = log(row.reduce(0) { $0 + exp($1) })
    let logprob = try #require(positions[1]["logprob"] as? Double)
    #expect(abs(logprob - (row[ids[4]] - normaliser)) < 1e-3)
    let top = try #require(positions[1]["top"] as? [[String: Any]])
    try #require(top.count == 3)
    let next = try dump("p0.logits").rows(4..<5).read()
    #expect(top[0]["id"] as? Int == next.indices.max { next[$0] < next[$1] })
    #expect(Set(top[0].keys) == ["id", "piece", "logprob"])
    // The loss is that of the text, not of the positions reported.
    let loss = try #require(try result.json()["loss"] as? Double)
    #expect(abs(loss - Double(try dump("p0.loss").read()[0])) < 1e-4)
  }

  @Test func positionsOutsideTheTextAreNamed() throws {
    let result = try Tool.run("logits", "--tokens", "2,5", "--positions", "2")
    #expect(result.status == 2)
    #expect(result.errors.contains("--positions 2"))
    #expect(result.errors.contains("0 to 1"))
  }

  @Test func idsOutsideTheVocabularyAreNamed() throws {
    let result = try Tool.run("logits", "--tokens", "2,300")
    #expect(result.status == 1)
    #expect(result.errors == "gscope: error: --tokens: id 300 is outside the vocabulary 0..<300\n")
  }

  @Test func theLensEndsAtTheModelsOwnPrediction() throws {
    let ids = try promptIDs()
    let lens = try Tool.run("lens", "--tokens", ids, "--top-k", "4", "--json").json()
    let layers = try #require(lens["layers"] as? [[String: Any]])
    #expect(layers.map { $0["layer"] as? Int } == Array(0..<7))
    let last = try #require(layers.last?["positions"] as? [[String: Any]])
    try #require(last.map { $0["position"] as? Int } == [22])
    let top = try #require(last[0]["top"] as? [[String: Any]])
    let logits = try Tool.run("logits", "--tokens", ids, "--top-k", "4", "--positions", "last", "--json").json()
    let expected = try #require((logits["positions"] as? [[String: Any]])?[0]["top"] as? [[String: Any]])
    #expect(top.map { $0["id"] as? Int } == expected.map { $0["id"] as? Int })
    let people = try Tool.run("lens", "--tokens", ids)
    #expect(people.status == 0)
    #expect(people.output.split(separator: "\n").count == 9)
  }

  @Test func greedyContinuationsAreTheReferences() throws {
    let expected = try dump("p0.greedy").readIntegers()
    let result = try Tool.run(
      "generate", "--tokens", try promptIDs(), "--max-tokens", "\(expected.count)", "--json")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.hasPrefix("{\"schema\":1,\"prompt_tokens\":["))
    let json = try result.json()
    let tokens = try #require(json["tokens"] as? [[String: Any]]).compactMap { $0["id"] as? Int }
    // <eos> ends it and is not among the tokens.
    let end = expected.firstIndex(of: 1)
    #expect(tokens == Array(expected.prefix(end ?? expected.count)))
    #expect(!tokens.isEmpty)
    #expect(json["stopped"] as? String == (end == nil ? "length" : "eos"))
    let streamed = try Tool.run("generate", "--tokens", try promptIDs(), "--max-tokens", "\(expected.count)")
    #expect(streamed.output == (try #require(json["text"] as? String)) + "\n")
  }

  /// The reference's continuation has bytes that are no UTF-8: offsets count what stands for them in the text.
  @Test func offsetsOfGeneratedTokensAreIntoTheText() throws {
    let json = try Tool.run("generate", "--tokens", try promptIDs(), "--max-tokens", "16", "--json").json()
    let text = try #require(json["text"] as? String)
    try #require(text.contains("\u{FFFD}"))
    let tokens = try #require(json["tokens"] as? [[String: Any]])
    let starts = tokens.compactMap { $0["start"] as? Int }
    let ends = tokens.compactMap { $0["end"] as? Int }
    #expect(starts == [0] + ends.dropLast())
    #expect(ends.last == text.utf8.count)
    for (i, token) in tokens.enumerated() {
      let bytes = Array(text.utf8)[starts[i]..<ends[i]]
      #expect(String(decoding: bytes, as: UTF8.self) == token["text"] as? String)
    }
  }

  @Test func offsetsOfGivenTokensAreIntoTheirText() throws {
    // <0xE2> <0x82> without a third byte, then <0x41>; then the three bytes of the euro sign.
    let json = try Tool.run("tokenize", "--tokens", "237,141,76,237,141,183", "--json").json()
    let tokens = try #require(json["tokens"] as? [[String: Any]])
    #expect(tokens.map { $0["start"] as? Int } == [0, 3, 3, 4, 5, 6])
    #expect(tokens.map { $0["end"] as? Int } == [3, 3, 4, 5, 6, 7])
  }

  @Test(arguments: ["logits", "lens", "intervene", "features"]) func anyNumberOfTopEntries(command: String) throws {
    let dictionary = ["--dictionary", "d=\(Tool.dictionary("resid_post/layer_3_width_37_l0_small"))"]
    var more = command == "features" || command == "intervene" ? dictionary : []
    if command == "intervene" { more += ["--steer", "d#1=3"] }
    for format in [[], ["--json"]] {
      let result = try Tool.run(
        [command, "--model", Tool.model, "--tokens", "2,20", "--top-k", "\(Int.max)"] + more + format)
      #expect(result.status == 0, "\(result.errors)")
      #expect(!result.output.isEmpty)
    }
  }

  @Test func theSameSeedGivesTheSameText() throws {
    func sample(_ seed: String) throws -> String {
      try Tool.run("generate", "--text", "a", "--temperature", "1", "--seed", seed, "--max-tokens", "12").output
    }
    #expect(try sample("7") == sample("7"))
    #expect(try Set((0..<6).map { try sample("\($0)") }).count > 1)
  }

  @Test func severalTextsAreSavedOneAfterAnother() throws {
    let directory = try TemporaryDirectory()
    let file = directory.url.appending(path: "all.safetensors")
    let input = "{\"id\":\"a\",\"text\":\"one\"}\n{\"id\":\"b\",\"text\":\"two two\"}\n"
    let result = try Tool.run(
      "logits", "--texts", "-", "--positions", "last", "--save", file.path, input: input)
    #expect(result.status == 0, "\(result.errors)")
    #expect(try result.jsonLines().map { $0["id"] as? String } == ["a", "b"])
    let saved = try SafetensorsFile(file)
    let offsets = try saved.tensor("doc_offsets").readIntegers()
    try #require(offsets.count == 3)
    #expect(try saved.tensor("tokens").count == offsets[2])
    #expect(try saved.tensor("logits").shape == [2, 300])
    #expect(try saved.tensor("positions").readIntegers() == [offsets[1] - 1, offsets[2] - offsets[1] - 1])
    #expect(try saved.tensor("row_offsets").readIntegers() == [0, 1, 2])
  }
}
