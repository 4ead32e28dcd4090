import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct FeaturesTests {
  private typealias Tool = CommandLineTool
  private let sae = Tool.dictionary("resid_post/layer_3_width_37_l0_small")

  @Test func aNameMayHoldSlashesWhereItsPathExists() throws {
    let name = "resid_post/mine"
    let named = try Tool.run("features", "--dictionary", "\(name)=\(sae)", "--text", "a b c", "--json")
    #expect(named.status == 0, "\(named.errors)")
    let dictionaries = try #require(try named.json()["dictionaries"] as? [[String: Any]])
    #expect(dictionaries.map { $0["name"] as? String } == [name])
    let missing = try Tool.run("features", "--dictionary", "runs/rate=1/gone", "--text", "a b c")
    #expect(missing.status == 1)
    #expect(missing.errors.contains("runs/rate=1/gone"), "\(missing.errors)")
  }

  @Test func jsonOfASingleLayer() throws {
    let result = try Tool.run("features", "--dictionary", "mine=\(sae)", "--text", "a b c", "--top-k", "2", "--json")
    #expect(result.status == 0, "\(result.errors)")
    let json = try result.json()
    #expect(json["schema"] as? Int == 1)
    let tokens = try #require(json["tokens"] as? [[String: Any]])
    let dictionary = try #require((json["dictionaries"] as? [[String: Any]])?.first)
    #expect(dictionary["name"] as? String == "mine")
    #expect(dictionary["kind"] as? String == "sae")
    #expect(dictionary["site"] as? String == "resid_post.3")
    #expect(dictionary["width"] as? Int == 37)
    #expect(dictionary["l0"] is Double)
    #expect(dictionary["fvu_prompt"] is Double)
    let active = try #require(json["active"] as? [[String: Any]])
    #expect(active.map { $0["position"] as? Int } == Array(tokens.indices))
    for entry in active {
      let features = try #require(entry["features"] as? [[String: Any]])
      #expect(features.count <= 2)
      let activations = features.compactMap { $0["activation"] as? Double }
      #expect(activations == activations.sorted(by: >))
      #expect(features.allSatisfy { Set($0.keys) == ["index", "activation", "label"] })
    }
  }

  /// L0 and FVU from the reference's activations and the stored weights, written out.
  @Test func figuresAreThoseOfTheReference() throws {
    let dumps = try SafetensorsFile(Fixtures.url("gemma/causal/dumps.safetensors"))
    let ids = try dumps.tensor("p0.tokens").readIntegers()
    let x = try dumps.tensor("p0.resid_post.3")
    let file = try SafetensorsFile(URL(filePath: sae).appending(path: "params.safetensors"))
    func numbers(_ name: String) throws -> [Double] { try file.tensor(name).read().map(Double.init) }
    let (encoder, decoder) = (try numbers("w_enc"), try numbers("w_dec"))
    let (bias, threshold, offset) = (try numbers("b_enc"), try numbers("threshold"), try numbers("b_dec"))
    // Special tokens, ids up to 6 here, do not count.
    let rows = ids.indices.filter { ids[$0] > 6 }
    let inputs = try rows.map { try x.rows($0..<$0 + 1).read().map(Double.init) }
    let means = (0..<32).map { i in inputs.reduce(0) { $0 + $1[i] } / Double(inputs.count) }
    var (active, residual, variance) = (0, 0.0, 0.0)
    for input in inputs {
      var output = offset
      for feature in 0..<37 {
        let pre = (0..<32).reduce(bias[feature]) { $0 + input[$1] * encoder[$1 * 37 + feature] }
        guard pre > threshold[feature], pre > 0 else { continue }
        active += 1
        for i in 0..<32 { output[i] += pre * decoder[feature * 32 + i] }
      }
      for i in 0..<32 {
        residual += (input[i] - output[i]) * (input[i] - output[i])
        variance += (input[i] - means[i]) * (input[i] - means[i])
      }
    }
    let text = ids.map(String.init).joined(separator: ",")
    let json = try Tool.run("features", "--dictionary", sae, "--tokens", text, "--json").json()
    let listed = try #require((json["dictionaries"] as? [[String: Any]])?.first)
    #expect(listed["l0"] as? Double == Double(active) / Double(rows.count))
    let fvu = residual / variance
    #expect(abs(try #require(listed["fvu_prompt"] as? Double) - fvu) < 1e-4 * fvu)
  }

  @Test func splicedRowsAreReported() throws {
    let directory = try TemporaryDirectory()
    let list = #"{"schema":1,"interventions":[{"kind":"splice","dictionary":"resid"}]}"#
    let file = try directory.write(Array(list.utf8), as: "splice.json")
    let arguments = ["--dictionary", "resid=\(sae)", "--interventions", file.path, "--tokens", "2,20,30"]
    let json = try Tool.run(["intervene", "--model", Tool.model, "--json"] + arguments).json()
    let changed = try #require(json["changed"] as? [[String: Any]])
    #expect(changed.map { $0["position"] as? Int } == [1, 2])
    for record in changed {
      #expect(record["kind"] as? String == "splice" && record["site"] as? String == "resid_post.3")
      #expect(record["before"] is NSNull && record["after"] is NSNull)
      #expect(try #require(record["change"] as? Double) > 0)
    }
    let people = try Tool.run(["intervene", "--model", Tool.model] + arguments)
    #expect(people.output.contains("2 rows replaced by reconstructions (moved by "), "\(people.output)")
    #expect(!people.output.contains("activations changed"))
  }

  @Test func savedCodeIsWholeAndAgreesWithTheListing() throws {
    let directory = try TemporaryDirectory()
    let file = directory.url.appending(path: "code.safetensors")
    let clt = Tool.dictionary("clt/width_203_l0_big")
    let result = try Tool.run(
      "features", "--dictionary", sae, "--dictionary", clt, "--text", "a b c d", "--top-k", "0", "--json", "--save",
      file.path, "--reconstruction")
    #expect(result.status == 0, "\(result.errors)")
    let saved = try SafetensorsFile(file)
    let json = try result.json()
    let count = try #require(json["tokens"] as? [Any]).count
    #expect(
      Set(saved.names) == [
        "tokens", "0.row_offsets", "0.features", "0.activations", "0.reconstruction", "1.row_offsets", "1.features",
        "1.activations", "1.layers", "1.reconstruction",
      ])
    #expect(try saved.tensor("0.reconstruction").shape == [count, 32])
    #expect(try saved.tensor("1.reconstruction").shape == [count, 7, 32])
    let active = try #require(json["active"] as? [[String: Any]])
    for index in 0..<2 {
      let offsets = try saved.tensor("\(index).row_offsets").readIntegers()
      try #require(offsets.count == count + 1)
      let features = try saved.tensor("\(index).features").readIntegers()
      let activations = try saved.tensor("\(index).activations").read()
      let layers = index == 1 ? try saved.tensor("1.layers").readIntegers() : nil
      for entry in active where entry["dictionary"] as? Int == index {
        let position = try #require(entry["position"] as? Int)
        let listed = try #require(entry["features"] as? [[String: Any]])
        let rows = offsets[position]..<offsets[position + 1]
        #expect(listed.count == rows.count)
        let stored = Set(rows.map { "\(layers?[$0] ?? -1)/\(features[$0])" })
        #expect(Set(listed.map { "\($0["layer"] as? Int ?? -1)/\($0["index"] as? Int ?? -1)" }) == stored)
        let largest = rows.map { activations[$0] }.max()
        #expect(largest.map { abs(Double($0) - (listed.first?["activation"] as? Double ?? 0)) < 1e-5 } ?? true)
      }
    }
  }

  @Test func specialTokensAreLeftOutOfTheFigures() throws {
    // <bos> alone leaves nothing to measure.
    let json = try Tool.run("features", "--dictionary", sae, "--tokens", "2", "--json").json()
    let dictionary = try #require((json["dictionaries"] as? [[String: Any]])?.first)
    #expect(dictionary["l0"] is NSNull)
    #expect(dictionary["fvu_prompt"] is NSNull)
  }

  @Test func severalTextsShareOneFile() throws {
    let directory = try TemporaryDirectory()
    let file = directory.url.appending(path: "code.safetensors")
    let input = "{\"id\":1,\"text\":\"one\"}\n{\"id\":2,\"text\":\"two two\"}\n"
    let result = try Tool.run("features", "--dictionary", sae, "--texts", "-", "--save", file.path, input: input)
    #expect(try result.jsonLines().compactMap { $0["id"] as? Int } == [1, 2])
    let saved = try SafetensorsFile(file)
    let offsets = try saved.tensor("0.row_offsets").readIntegers()
    #expect(try saved.tensor("doc_offsets").readIntegers().last == offsets.count - 1)
    #expect(offsets.last == (try saved.tensor("0.features").count))
  }

  @Test func aDictionaryOfAnotherWidthIsRefused() throws {
    let directory = try TemporaryDirectory()
    let folder = directory.url.appending(path: "resid_post/layer_3_width_8")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try SafetensorsWriter.write(
      [
        "w_enc": Tensor([Float](repeating: 0, count: 40), shape: [5, 8]),
        "w_dec": Tensor([Float](repeating: 0, count: 40), shape: [8, 5]),
        "b_enc": Tensor([Float](repeating: 0, count: 8), shape: [8]),
        "threshold": Tensor([Float](repeating: 0, count: 8), shape: [8]),
        "b_dec": Tensor([Float](repeating: 0, count: 5), shape: [5]),
      ], to: folder.appending(path: "params.safetensors"))
    let result = try Tool.run("features", "--dictionary", folder.path, "--text", "a", "--at", "resid_post.3")
    #expect(result.status == 1)
    #expect(result.errors.contains("reads 5 numbers at resid_post.3, which holds 32"), "\(result.errors)")
  }

  @Test func steeringChangesPredictions() throws {
    let result = try Tool.run(
      "intervene", "--dictionary", "resid=\(sae)", "--steer", "resid#4=30", "--text", "a b", "--json")
    #expect(result.status == 0, "\(result.errors)")
    let json = try result.json()
    #expect(Array(json.keys).sorted() == ["after", "before", "changed", "schema", "tokens"])
    let changed = try #require(json["changed"] as? [[String: Any]])
    #expect(!changed.isEmpty)
    #expect(changed.allSatisfy { $0["site"] as? String == "resid_post.3" && $0["position"] as? Int != 0 })
    func top(_ key: String) throws -> Double {
      let part = try #require(json[key] as? [String: Any])
      let position = try #require((part["positions"] as? [[String: Any]])?.first)
      return try #require((position["top"] as? [[String: Any]])?.first?["logprob"] as? Double)
    }
    #expect(try abs(top("before") - top("after")) > 1e-4)
    let unknown = try Tool.run(
      "intervene", "--dictionary", "resid=\(sae)", "--steer", "other#4=30", "--text", "a b")
    #expect(unknown.status == 1)
    #expect(unknown.errors.contains("other"))
  }
}
