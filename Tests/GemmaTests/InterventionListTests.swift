import Foundation
import Gemma
import Sites
import TestSupport
import Testing

/// The JSON and command-line forms.
@Suite struct InterventionListTests {
  private func list(_ entries: String) throws -> InterventionList {
    let json = "{\"schema\":1,\"interventions\":[\(entries)]}"
    return try InterventionList(json: Array(json.utf8), file: "I.json", folder: URL(filePath: "/base/"))
  }

  @Test func readsEveryKey() throws {
    let read = try list(
      """
      {"kind":"add","dictionary":"resid","feature":812,"value":0.25,"unit":"residual_norm","positions":"generated"},
      {"kind":"set","dictionary":"clt","layer":4,"feature":17,"value":-1e1,"layers":{"from":4,"to":8}},
      {"kind":"scale","dictionary":"a","feature":0,"value":0,"site":"resid_post.3","positions":"prompt"},
      {"kind":"ablate","dictionary":"a","feature":1,"value":null,"unit":"raw","positions":[3,4]},
      {"kind":"orthogonal","vector":{"file":"r.safetensors","tensor":"d"},"site":"attn_out.9"},
      {"kind":"cap","dictionary":"a","feature":1,"value":2,"unit":"max_activation","positions":{"from":2}},
      {"kind":"splice","dictionary":"a","keep_error":true,"positions":{"from":1,"to":7}},
      {"kind":"splice","dictionary":"a","positions":"all","keep_error":false,"layers":{"to":2}}
      """)
    func feature(_ dictionary: String, _ index: Int, layer: Int? = nil) -> Intervention.Target {
      .feature(.init(dictionary: dictionary, layer: layer, index: index))
    }
    let vector = Intervention.Vector(file: URL(filePath: "/base/r.safetensors"), tensor: "d")
    #expect(
      read.interventions == [
        Intervention(.add, feature("resid", 812), value: 0.25, unit: .residualNorm, positions: .generated),
        Intervention(.set, feature("clt", 17, layer: 4), value: -10, layers: .init(from: 4, to: 8)),
        Intervention(.scale, feature("a", 0), site: .residPost(3), value: 0, positions: .prompt),
        Intervention(.ablate, feature("a", 1), positions: .list([3, 4])),
        Intervention(.orthogonal, .vector(vector), site: .attnOut(9)),
        Intervention(.cap, feature("a", 1), value: 2, unit: .maxActivation, positions: .range(.init(from: 2))),
        Intervention(.splice, .dictionary("a"), keepError: true, positions: .range(.init(from: 1, to: 7))),
        Intervention(.splice, .dictionary("a"), layers: .init(to: 2)),
      ])
    #expect(try list("").isEmpty)
  }

  @Test(arguments: [
    (#"{"kind":"add","dictionary":"a","feature":1,"value":1,"strength":2}"#, "'strength' is no known key"),
    (#"{"dictionary":"a","feature":1}"#, "'kind' is missing"),
    (#"{"kind":"steer","dictionary":"a","feature":1}"#, "'kind' is 'steer', expected one of add, set"),
    (#"{"kind":7}"#, "'kind' is not a string"),
    (#"{"kind":"add","feature":1,"value":1}"#, "'dictionary' is missing"),
    (#"{"kind":"add","dictionary":"a","value":1}"#, "'feature' is missing"),
    (#"{"kind":"add","dictionary":"a","layer":3,"value":1}"#, "'layer' goes with 'feature'"),
    (#"{"kind":"add","dictionary":"a","feature":1.5,"value":1}"#, "'feature' is not a whole number"),
    (#"{"kind":"add","dictionary":"a","feature":-1,"value":1}"#, "'feature' is -1"),
    (#"{"kind":"add","dictionary":"a","feature":1e300,"value":1}"#, "'feature' is not a whole number"),
    (#"{"kind":"add","dictionary":"a","layer":-2,"feature":1,"value":1}"#, "'layer' is -2"),
    (#"{"kind":"add","dictionary":"a","feature":1}"#, "'value' is missing"),
    (#"{"kind":"cap","dictionary":"a","feature":1,"value":"2"}"#, "'value' is not a number"),
    (#"{"kind":"set","dictionary":"a","feature":1,"value":1e39}"#, "beyond the range of fp32"),
    (#"{"kind":"set","dictionary":"a","feature":1,"value":1e999}"#, "beyond the range of fp32"),
    (#"{"kind":"ablate","dictionary":"a","feature":1,"value":0}"#, "'value' does not belong to 'ablate'"),
    (#"{"kind":"scale","dictionary":"a","feature":1,"value":2,"unit":"max_activation"}"#, "'unit' does not belong"),
    (#"{"kind":"add","dictionary":"a","feature":1,"value":2,"unit":"norm"}"#, "'unit' is 'norm'"),
    (#"{"kind":"add","dictionary":"a","feature":1,"value":2,"keep_error":true}"#, "'keep_error' belongs to 'splice'"),
    (#"{"kind":"splice","dictionary":"a","keep_error":1}"#, "'keep_error' is neither true nor false"),
    (#"{"kind":"splice","dictionary":"a","feature":1}"#, "'splice' takes a whole dictionary"),
    (#"{"kind":"splice","vector":{"file":"f","tensor":"t"},"site":"embed"}"#, "'splice' takes a whole dictionary"),
    (#"{"kind":"add","vector":{"file":"f","tensor":"t"},"value":1}"#, "'site' is missing"),
    (#"{"kind":"add","vector":{"file":"f"},"value":1,"site":"embed"}"#, "'vector.tensor' is missing"),
    (#"{"kind":"add","vector":{"tensor":"f"},"value":1,"site":"embed"}"#, "'vector.file' is missing"),
    (#"{"kind":"add","vector":"f","value":1,"site":"embed"}"#, "'vector' is not an object"),
    (#"{"kind":"add","vector":{"file":"f","tensor":"t","x":1}}"#, "'vector.x' is no known key"),
    (#"{"kind":"add","vector":{"file":"f","tensor":"t"},"feature":1}"#, "'feature' does not go with 'vector'"),
    (
      #"{"kind":"add","vector":{"file":"f","tensor":"t"},"site":"embed","value":1,"unit":"max_activation"}"#,
      "only features"
    ),
    (#"{"kind":"add","vector":{"file":"f","tensor":"t"},"site":"embed","value":1,"layers":{}}"#, "'layers' belongs"),
    (#"{"kind":"add","vector":{"file":"f","tensor":"t"},"site":"resid_pst.3","value":1}"#, "nearest: resid_post.3"),
    (#"{"kind":"ablate","dictionary":"a","feature":1,"positions":"last"}"#, "'positions' is none of"),
    (#"{"kind":"ablate","dictionary":"a","feature":1,"positions":[]}"#, "'positions' is an empty list"),
    (#"{"kind":"ablate","dictionary":"a","feature":1,"positions":[1,-1]}"#, "'positions' holds -1"),
    (#"{"kind":"ablate","dictionary":"a","feature":1,"positions":["1"]}"#, "something else than whole numbers"),
    (#"{"kind":"ablate","dictionary":"a","feature":1,"positions":{"from":4,"to":4}}"#, "ends at 4"),
    (#"{"kind":"ablate","dictionary":"a","feature":1,"positions":{"from":-4}}"#, "starts at -4"),
    (#"{"kind":"ablate","dictionary":"a","feature":1,"positions":{"until":4}}"#, "'positions.until' is no known key"),
    (#"{"kind":"ablate","dictionary":"a","feature":1,"layers":{"from":4,"to":3}}"#, "'layers' ends at 3"),
    (#"{"kind":"ablate","dictionary":"a","feature":1,"layers":[1,2]}"#, "'layers' is not an object"),
    (#"3"#, "is not an object"),
  ])
  func faultsNameEntryAndKey(entry: String, expected: String) throws {
    let good = #"{"kind":"ablate","dictionary":"a","feature":1},"#
    let found = try #require(interventionProblem { _ = try list(good + entry) })
    #expect(found.index == 1)
    #expect(found.problem.contains(expected), "\(found.problem)")
  }

  @Test(arguments: [
    ("{}", "'schema' is missing"), (#"{"schema":2,"interventions":[]}"#, "'schema' is 2, expected 1"),
    (#"{"schema":1}"#, "'interventions' is missing"), (#"{"schema":1,"interventions":{}}"#, "is not a list"),
    (#"{"schema":1,"interventions":[],"version":3}"#, "'version' is no known key"), ("[]", "is not a JSON object"),
    (#"{"schema":1,"interventions":[}"#, "is not valid JSON"), ("", "is not valid JSON"),
  ])
  func faultsOfTheWhole(json: String, expected: String) throws {
    let error = #expect(throws: GemmaError.self) { try InterventionList(json: Array(json.utf8), file: "I.json") }
    #expect(error?.description.contains(expected) == true, "\(String(describing: error))")
    #expect(error?.description.contains("I.json") == true)
  }

  @Test func readsAFileAndItsNeighbours() throws {
    let folder = try TemporaryDirectory()
    let file = try folder.write(
      #"{"schema":1,"interventions":[{"kind":"add","vector":{"file":"v.st","tensor":"t"},"site":"embed","value":1}]}"#
        .utf8,
      as: "I.json")
    let vector = Intervention.Vector(file: folder.url.appending(path: "v.st").absoluteURL, tensor: "t")
    guard case .vector(let read) = try InterventionList(contentsOf: file).interventions[0].target else {
      Issue.record("no vector")
      return
    }
    #expect(read.file.path == vector.file.path && read.tensor == "t")
    #expect(throws: GemmaError.self) { try InterventionList(contentsOf: folder.url.appending(path: "none.json")) }
  }

  @Test func steering() throws {
    func add(_ name: String, _ layer: Int?, _ index: Int, _ value: Float, _ unit: Intervention.Unit) -> Intervention {
      Intervention(.add, .feature(.init(dictionary: name, layer: layer, index: index)), value: value, unit: unit)
    }
    let read = try InterventionList(steering: ["a#3=40", "x/y#z#12/7=-0.25r", "b=c#0=2x", "n#1=1e-2"])
    #expect(
      read.interventions == [
        add("a", nil, 3, 40, .raw), add("x/y#z", 12, 7, -0.25, .residualNorm), add("b=c", nil, 0, 2, .maxActivation),
        add("n", nil, 1, 0.01, .raw),
      ])
    let ablate = InterventionList([.init(.ablate, .feature(.init(dictionary: "a", index: 1)))])
    #expect(ablate.appending(read).interventions.map(\.kind) == [.ablate, .add, .add, .add, .add])
  }

  @Test(arguments: [
    "", "a", "a=3", "#3=1", "a#=1", "a#3", "a#3=", "a#3=r", "a#3=x", "a#-3=1", "a#+3=1", "a#3/=1", "a#/3=1",
    "a#1/2/3=1",
    "a#3=1=2", "a#3=inf", "a#3=nan", "a#3=1e60", "a#x=1", "a#3=2y", "a#99999999999999999999=1",
  ])
  func faultySteering(text: String) throws {
    let error = #expect(throws: GemmaError.self) { try InterventionList(steering: [text]) }
    #expect(error?.description.contains("'\(text)'") == true)
  }
}
