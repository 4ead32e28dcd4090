import Dictionaries
import Foundation
import Sites
import TestSupport
import Testing

/// `config.json`, whole, partial and hostile.
struct ConfigurationTests {
  private func parse(_ text: String) throws -> DictionaryConfiguration {
    try Data(text.utf8).withUnsafeBytes { try DictionaryConfiguration(json: $0, path: "config.json") }
  }

  @Test func readsThePublishedForm() throws {
    let configuration = try parse(
      #"{"hf_hook_point_in":"model.layers.17.output","hf_hook_point_out":"model.layers.17.output","width":16384,"#
        + #""model_name":"google/gemma-3-4b-pt","architecture":"jump_relu","l0":150,"affine_connection":false,"#
        + #""type":"sae"}"#
    )
    #expect(configuration.kind == .sae)
    #expect(configuration.reads == HookPoint(.residPost(17)))
    #expect(configuration.writes == configuration.reads)
    #expect(configuration.totalWidth == 16384)
    #expect(configuration.modelName == "google/gemma-3-4b-pt")
    #expect(configuration.targetL0 == 150)
    #expect(configuration.isAffine == false)
  }

  @Test func whatIsMissingOrNullStaysOpen() throws {
    #expect(try parse("{}") == DictionaryConfiguration())
    #expect(try parse(#"{"type":null,"width":null,"affine_connection":null}"#) == DictionaryConfiguration())
    #expect(try parse(#"{"new_key":{"deep":[1,{"x":null}]},"l0":19.5}"#).targetL0 == 19.5)
  }

  @Test(arguments: [
    (#"{"type":"topk"}"#, "type"), (#"{"type":3}"#, "type"), (#"{"width":0}"#, "width"), (#"{"width":-5}"#, "width"),
    (#"{"width":1.5}"#, "width"), (#"{"width":99999999999999999999999}"#, "width"), (#"{"l0":-1}"#, "l0"),
    (#"{"l0":1e999}"#, "l0"), (#"{"l0":"small"}"#, "l0"), (#"{"architecture":"gated"}"#, "architecture"),
    (#"{"affine_connection":"no"}"#, "affine_connection"), (#"{"affine_connection":0}"#, "affine_connection"),
    (#"{"hf_hook_point_in":"model.layers.x.output"}"#, "hf_hook_point_in"),
    (#"{"hf_hook_point_out":"model.layers.{3,1}.output"}"#, "hf_hook_point_out"), (#"{"model_name":[]}"#, "model_name"),
    (#"{"width":4,"width":4}"#, "width"),
  ])
  func wrongValuesNameTheirKey(_ text: String, _ key: String) {
    let error = #expect(throws: DictionaryError.self) { try parse(text) }
    #expect(error?.description.hasPrefix("config.json: '\(key)' ") == true, "\(String(describing: error))")
  }

  @Test(arguments: ["", "[]", "null", "{", "{} x", #"{"type":"sae",}"#, String(repeating: "[", count: 100_000)])
  func whatIsNoObjectIsRefused(_ text: String) {
    let error = #expect(throws: DictionaryError.self) { try parse(text) }
    #expect(error?.description.hasPrefix("config.json: is not a JSON object") == true)
  }

  @Test func messagesStayShort() {
    let error = #expect(throws: DictionaryError.self) {
      try parse(#"{"type":"\#(String(repeating: "x", count: 500_000))"}"#)
    }
    #expect((error?.description.utf8.count ?? .max) < 2000)
  }

  @Test(arguments: [
    ("google/gemma-3-4b-pt", "google/gemma-3-4b-pt"), ("gemma-3-1b-it", "google/gemma-3-1b-it"),
    ("google/gemma-v3-12b-pt", "google/gemma-3-12b-pt"), ("gemma-v3-270m-pt", "google/gemma-3-270m"),
    ("google/gemma-3-270m-pt", "google/gemma-3-270m"), ("google/gemma-3-270m-it", "google/gemma-3-270m-it"),
    ("someone/gemma-3-270m-pt", "someone/gemma-3-270m"), ("mine", "mine"), ("", ""), ("/", "/"),
  ])
  func modelNames(_ written: String, _ normalised: String) {
    #expect(normalisedModelName(written) == normalised)
  }
}
