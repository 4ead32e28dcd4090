import Dictionaries
import Foundation
import Sites
import TestSupport
import Testing

/// `suite.json` and the choice of a dictionary from it.
struct SuiteTests {
  private static let text = #"""
    {"schema":1,"model":{"name":"gemma-3-270m-pt","sha256":null},"note":"ours","dictionaries":[
      {"name":"resid_post/layer_9_width_16k_l0_small","path":"resid_post/layer_9_width_16k_l0_small","kind":"sae",
       "sites":["resid_post.9"],"width":16384,"l0":20,"affine":false,"card":{"l0":19.5,"fvu":0.08,"data":"books"}},
      {"path":"resid_post/layer_9_width_16k_l0_big","kind":"sae","sites":["resid_post.9"],"width":16384,"l0":150,
       "card":null},
      {"path":"transcoder/layer_9_width_16k_l0_small","kind":"transcoder","sites":["mlp_in.9","mlp_out.9"],
       "width":16384,"l0":20},
      {"path":"transcoder/layer_9_width_16k_l0_small_affine","kind":"transcoder","sites":["mlp_in.9","mlp_out.9"],
       "width":16384,"l0":20,"affine":true},
      {"path":"clt/width_262k_l0_big","kind":"clt","sites":["mlp_in.0","mlp_out.0"],"width":262080}]}
    """#

  private func load(_ text: String) throws -> Suite {
    let folder = try TemporaryDirectory()
    _ = try folder.write(text.utf8, as: "suite.json")
    #expect(Suite.isSuite(folder.url))
    return try Suite(contentsOf: folder.url)
  }

  @Test func readsEverything() throws {
    let suite = try load(Self.text)
    #expect(suite.model == Suite.Model(name: "google/gemma-3-270m", sha256: nil))
    #expect(suite.entries.count == 5)
    #expect(suite.entries[0].card == ["l0": 19.5, "fvu": 0.08])
    #expect(suite.entries[1].name == "resid_post/layer_9_width_16k_l0_big")
    #expect(suite.entries[3].isAffine)
    #expect(suite.entries[4].l0 == nil)
    #expect(suite.entries[2].sites == [.mlpIn(9), .mlpOut(9)])
    #expect(suite.url(of: suite.entries[4]) == suite.folder.appending(path: "clt/width_262k_l0_big"))
  }

  @Test func selectsByEveryProperty() throws {
    let suite = try load(Self.text)
    func pick(_ selection: Suite.Selection) throws -> Int? {
      let entry = try suite.entry(selection)
      return suite.entries.firstIndex(of: entry)
    }
    #expect(try pick(.init(name: "layer_9_width_16k_l0_big")) == 1)
    #expect(try pick(.init(name: "resid_post/layer_9_width_16k_l0_small")) == 0)
    #expect(try pick(.init(kind: .clt)) == 4)
    #expect(try pick(.init(width: "262k")) == 4)
    #expect(try pick(.init(width: "262080")) == 4)
    #expect(try pick(.init(site: .residPost(9), l0: "150")) == 1)
    #expect(try pick(.init(site: .residPost(9), l0: "small")) == 0)
    #expect(try pick(.init(kind: .transcoder, isAffine: true)) == 3)
    #expect(try pick(.init(site: .mlpOut(9), isAffine: false)) == 2)
    #expect(suite.entries(matching: .init()).count == 5)
  }

  @Test func ambiguityListsTheCandidates() throws {
    let suite = try load(Self.text)
    let many = #expect(throws: DictionaryError.self) { try suite.entry(.init(name: "layer_9_width_16k_l0_small")) }
    let text = many?.description ?? ""
    #expect(text.contains("2 dictionaries for name 'layer_9_width_16k_l0_small'; choose one of:\n  "))
    #expect(text.contains("transcoder/layer_9_width_16k_l0_small  transcoder  mlp_in.9,mlp_out.9  width 16384  l0 20"))
    #expect(!text.contains("clt/"))
    let none = #expect(throws: DictionaryError.self) { try suite.entry(.init(site: .residPost(3))) }
    #expect(none?.description.contains("no dictionary for site resid_post.3; there are:") == true)
    #expect(none?.description.contains("clt/width_262k_l0_big") == true)
  }

  @Test(arguments: [
    ("{}", "schema"), (#"{"schema":2,"model":{"name":"m"},"dictionaries":[]}"#, "schema"),
    (#"{"schema":1,"dictionaries":[]}"#, "model"), (#"{"schema":1,"model":{},"dictionaries":[]}"#, "model.name"),
    (#"{"schema":1,"model":{"name":"m","sha256":"12"},"dictionaries":[]}"#, "model.sha256"),
    (#"{"schema":1,"model":{"name":"m"}}"#, "dictionaries"),
    (#"{"schema":1,"model":{"name":"m"},"dictionaries":[{"path":"../x"}]}"#, "dictionaries[0].path"),
    (#"{"schema":1,"model":{"name":"m"},"dictionaries":[{"path":"/etc"}]}"#, "dictionaries[0].path"),
    (#"{"schema":1,"model":{"name":"m"},"dictionaries":[{"path":"x"}]}"#, "dictionaries[0].kind"),
    (#"{"schema":1,"model":{"name":"m"},"dictionaries":[{"kind":"gan"}]}"#, "dictionaries[0].kind"),
    (#"{"schema":1,"model":{"name":"m"},"dictionaries":[{"sites":["resid.3"]}]}"#, "dictionaries[0].sites"),
    (#"{"schema":1,"schema":1,"model":{"name":"m"},"dictionaries":[]}"#, "schema"),
    (#"{"schema":1,"model":{"name":"m"},"model":{"name":"m"},"dictionaries":[]}"#, "model"),
    (#"{"schema":1,"model":{"name":"m","name":"n"},"dictionaries":[]}"#, "model.name"),
    (#"{"schema":"1"}"#, "schema"), (#"{"model":[]}"#, "model"), (#"{"model":{"name":7}}"#, "model.name"),
    (#"{"model":{"name":"m","sha256":7}}"#, "model.sha256"), (#"{"dictionaries":{}}"#, "dictionaries"),
  ])
  func faultsNameTheirKey(_ text: String, _ key: String) {
    let error = #expect(throws: DictionaryError.self) { try load(text) }
    #expect(error?.description.contains("'\(key)' ") == true, "\(String(describing: error))")
  }

  /// Members of the second entry of a suite, and the key at fault.
  @Test(arguments: [
    (#""width":"big""#, "width"), (#""width":-3"#, "width"), (#""width":0"#, "width"), (#""width":1.5"#, "width"),
    (#""width":1,"width":1"#, "width"), (#""l0":1e999"#, "l0"), (#""l0":-1"#, "l0"), (#""l0":"small""#, "l0"),
    (#""sites":[]"#, "sites"), (#""sites":"resid_post.3""#, "sites"), (#""sites":[3]"#, "sites"),
    (#""sites":["resid_post.3","resid_post.3"]"#, "sites"), (#""affine":"no""#, "affine"), (#""kind":3"#, "kind"),
    (#""name":[]"#, "name"), (#""path":7"#, "path"), (#""path":"a","path":"b""#, "path"),
    (#""card":{"l0":1e999}"#, "card.l0"), (#""card":{"fvu":0.1,"fvu":0.2}"#, "card.fvu"),
  ])
  func faultsNameTheirEntry(_ members: String, _ key: String) {
    let first = #"{"path":"a","kind":"sae","sites":["resid_post.3"],"width":1}"#
    let error = #expect(throws: DictionaryError.self) {
      try load(#"{"schema":1,"model":{"name":"m"},"dictionaries":[\#(first),{\#(members)}]}"#)
    }
    #expect(error?.description.contains("'dictionaries[1].\(key)' ") == true, "\(String(describing: error))")
  }

  @Test(arguments: [
    (#"{"path":"x","kind":"sae","sites":["resid_post.3"],"width":1}"#, "names 'x' twice"), ("7", "[1]' cannot be read"),
  ])
  func faultsOfTheList(_ second: String, _ reason: String) {
    let first = #"{"path":"x","kind":"sae","sites":["resid_post.3"],"width":1}"#
    let error = #expect(throws: DictionaryError.self) {
      try load(#"{"schema":1,"model":{"name":"m"},"dictionaries":[\#(first),\#(second)]}"#)
    }
    #expect(error?.description.contains("'dictionaries") == true && error?.description.contains(reason) == true)
  }

  /// A suite of thousands does not print them all.
  @Test func longListsAreCutShort() throws {
    let entries = (0..<250).map { #"{"path":"d\#($0)","kind":"sae","sites":["resid_post.3"],"width":1}"# }
    let suite = try load(
      #"{"schema":1,"model":{"name":"m"},"dictionaries":[\#(entries.joined(separator: ","))]}"#)
    let text = #expect(throws: DictionaryError.self) { try suite.entry(.init()) }?.description ?? ""
    #expect(text.contains("250 dictionaries for any dictionary; choose one of:\n  d0  sae"))
    #expect(text.hasSuffix("\n  d19  sae  resid_post.3  width 1\n  … and 230 more"), "\(text)")
  }

  @Test(arguments: ["", "[]", "{", #"{"schema":1,"model":{"name":"m"},"dictionaries":[]}x"#])
  func whatIsNoSuiteIsRefused(_ text: String) {
    #expect(throws: DictionaryError.self) { try load(text) }
  }
}
