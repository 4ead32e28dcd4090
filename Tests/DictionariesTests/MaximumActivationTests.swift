import Checkpoints
import Dictionaries
import Foundation
import Tensors
import TestSupport
import Testing

/// The largest known activation of a feature.
struct MaximumActivationTests {
  let folder: TemporaryDirectory

  init() throws {
    folder = try TemporaryDirectory()
    var random = SeededRandom(seed: 6)
    try ReferenceDictionary(inputs: 4, outputs: 4, features: 3, random: &random).write(
      to: folder.url, config: configJSON())
  }

  private func open() throws -> SparseDictionary {
    try SparseDictionary(contentsOf: folder.url, backend: NativeBackend(threads: 1))
  }

  @Test func fromPublishedExamples() throws {
    let activations = try Tensor([9, 4, 1, 0, 0, 0, 2.5, 0, 0], shape: [3, 3])
    try SafetensorsWriter.write(["activations": activations], to: folder.url.appending(path: "examples.safetensors"))
    let dictionary = try open()
    #expect(try (0..<3).map { try dictionary.maximumActivation(feature: $0) } == [9, nil, 2.5])
    #expect(throws: DictionaryError.self) { try dictionary.maximumActivation(feature: 3) }
    #expect(throws: DictionaryError.self) { try dictionary.maximumActivation(read: 1, feature: 0) }
  }

  @Test func fromTraining() throws {
    _ = try folder.write(#"{"schema":1,"recipe":{"x":[1]},"max_activations":[1.5,null,0]}"#.utf8, as: "training.json")
    let dictionary = try open()
    #expect(try (0..<3).map { try dictionary.maximumActivation(feature: $0) } == [1.5, nil, nil])
  }

  @Test func unknown() throws {
    #expect(try open().maximumActivation(feature: 0) == nil)
    _ = try folder.write(#"{"schema":1}"#.utf8, as: "training.json")
    #expect(try open().maximumActivation(feature: 0) == nil)
  }

  @Test(arguments: [
    #"{"max_activations":[1,2,3],"max_activations":[1,2,3]}"#, #"{"max_activations":[1e999,2,3]}"#,
    #"{"max_activations":[1,-2,3]}"#,
    #"{"max_activations":[1,2]}"#, #"{"max_activations":[1,2,3,4]}"#, #"{"max_activations":"many"}"#, "{",
  ])
  func filesThatDoNotMatchAreRefused(_ text: String) throws {
    _ = try folder.write(text.utf8, as: "training.json")
    let dictionary = try open()
    let error = #expect(throws: DictionaryError.self) { try dictionary.maximumActivation(feature: 0) }
    #expect(error?.description.contains("'max_activations'") == true)
  }

  @Test func examplesOfAnotherDictionaryAreRefused() throws {
    try SafetensorsWriter.write(
      ["activations": Tensor([1.0, 2], shape: [2, 1])], to: folder.url.appending(path: "examples.safetensors"))
    #expect(throws: DictionaryError.self) { try open().maximumActivation(feature: 0) }
  }

  @Test func examplesThatAreNoNumbersAreNamed() throws {
    let examples = folder.url.appending(path: "examples.safetensors")
    try SafetensorsWriter.write(["activations": Tensor(integers: [Int32(1), 2, 3], shape: [3, 1])], to: examples)
    let error = #expect(throws: DictionaryError.self) { try open().maximumActivation(feature: 0) }
    #expect(
      error
        == DictionaryError.tensor(
          path: examples.path, name: "activations", expected: "f32, bf16 or f16", found: "I32"))
  }

  @Test func theCard() throws {
    #expect(try open().card() == nil)
    _ = try folder.write(#"{"schema":1,"card":{"l0":19.5,"fvu":0.1,"data":"books"}}"#.utf8, as: "training.json")
    #expect(try open().card() == ["l0": 19.5, "fvu": 0.1])
    for empty in [#"{"card":{}}"#, #"{"card":null}"#, "{}"] {
      _ = try folder.write(empty.utf8, as: "training.json")
      #expect(try open().card() == nil)
    }
    for (text, key) in [
      (#"{"card":{"l0":1e999}}"#, "card.l0"), (#"{"card":{"l0":1,"l0":2}}"#, "card.l0"), ("{", "card"),
      (#"{"card":{},"card":{}}"#, "card"),
    ] {
      _ = try folder.write(text.utf8, as: "training.json")
      let error = #expect(throws: DictionaryError.self) { try open().card() }
      #expect(error?.description.contains("training.json: '\(key)' ") == true, "\(String(describing: error))")
    }
    _ = try folder.write(repeatElement(0x20, count: (1 << 24) + 1), as: "training.json")
    let error = #expect(throws: DictionaryError.self) { try open().card() }
    #expect(error?.description.contains("expected at most 16777216") == true)
  }
}
