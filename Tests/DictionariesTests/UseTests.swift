import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Testing

/// Misuse of an open dictionary, and its fit to a model.
struct UseTests {
  let folder: TemporaryDirectory
  let backend: NativeBackend

  init() throws {
    folder = try TemporaryDirectory()
    backend = try NativeBackend(threads: 1)
  }

  private func open(layers: Int = 1, isAffine: Bool = false, width: Int = 4) throws -> SparseDictionary {
    var random = SeededRandom(seed: 8)
    let reference = ReferenceDictionary(
      inputs: width, outputs: width, features: 6, layers: layers, isAffine: isAffine, random: &random)
    let clt = configJSON(
      type: "clt", reads: "model.layers.{all}.pre_feedforward_layernorm.output",
      writes: "model.layers.{all}.post_feedforward_layernorm.output")
    let url = folder.url.appending(path: "\(layers)-layers")
    try reference.write(to: url, isMultiLayer: layers > 1, config: layers > 1 ? clt : configJSON())
    return try SparseDictionary(contentsOf: url, name: "d", backend: backend)
  }

  @Test func inputsOfAnotherShapeAreRefused() throws {
    let dictionary = try open(layers: 2)
    let good = try Tensor([Float](repeating: 1, count: 12), shape: [3, 4])
    let wide = try Tensor([Float](repeating: 1, count: 15), shape: [3, 5])
    let flat = try Tensor([Float](repeating: 1, count: 4), shape: [4])
    let fewer = try Tensor([Float](repeating: 1, count: 8), shape: [2, 4])
    let whole = try Tensor(integers: [Int32](repeating: 1, count: 12), shape: [3, 4])
    for inputs in [[], [good], [good, good, good], [good, wide], [flat, flat], [good, fewer], [good, whole]] {
      #expect(throws: DictionaryError.self) { try dictionary.encode(inputs) }
    }
    #expect(throws: DictionaryError.self) { try dictionary.encode(good, read: 2) }
    let code = try dictionary.encode([good, good])
    #expect(throws: DictionaryError.self) { try dictionary.decode(DictionaryCode([code.layers[0]])) }
    #expect(throws: DictionaryError.self) { try dictionary.decode(code, write: 2) }
    #expect(throws: DictionaryError.self) { try DictionaryCode([]) }
    #expect(throws: DictionaryError.self) { try DictionaryCode([code.layers[0], SparseCode(emptyRows: 1)]) }
    for feature in [Int32(6), .max] {
      let foreign = try SparseCode(rowOffsets: [0, 1], features: [feature], activations: [1])
      #expect(throws: DictionaryError.outOfRange(what: "feature", value: Int(feature), limit: 6)) {
        try dictionary.decode(DictionaryCode([foreign, SparseCode(emptyRows: 1)]))
      }
    }
  }

  @Test func emptyAndInactiveInputs() throws {
    let dictionary = try open()
    let none = try Tensor([Float](), shape: [0, 4])
    let (code, outputs) = try dictionary.reconstruct([none])
    #expect(code.rows == 0)
    #expect(outputs[0].shape == [0, 4])
    let silent = try dictionary.decode(DictionaryCode([SparseCode(emptyRows: 2)]))
    #expect(try silent[0].read() == dictionary.decoderBias() + dictionary.decoderBias())
  }

  @Test func affinePartNeedsTheInputs() throws {
    let dictionary = try open(isAffine: true)
    let x = try Tensor([Float](repeating: 1, count: 8), shape: [2, 4])
    let code = try dictionary.encode([x])
    let error = #expect(throws: DictionaryError.self) { try dictionary.decode(code) }
    #expect(error?.description.contains("for the affine part") == true)
    #expect(throws: DictionaryError.self) {
      try dictionary.decode(code, write: 0, input: Tensor([Float](repeating: 1, count: 4), shape: [1, 4]))
    }
  }

  @Test func activeFeaturesComeLargestFirst() throws {
    let first = try SparseCode(rowOffsets: [0, 3, 3], features: [1, 4, 9], activations: [2, 7, 2])
    let second = try SparseCode(rowOffsets: [0, 1, 2], features: [0, 5], activations: [2, 1])
    let code = try DictionaryCode([first, second])
    let active = code.active(inRow: 0)
    #expect(active.map(\.activation) == [7, 2, 2, 2])
    #expect(active.map(\.feature) == [4, 1, 9, 0])
    #expect(active.map(\.read) == [0, 0, 0, 1])
    #expect(code.active(inRow: 0, limit: 2) == Array(active.prefix(2)))
    #expect(code.active(inRow: 1).map(\.feature) == [5])
    #expect(code.activeCount(inRow: 0) == 4)
    #expect(code.count == 5)
  }

  @Test func fitsOnlyItsModel() throws {
    let model = ModelShape(layers: 4, width: 4, attentionWidth: 8, vocabularySize: 100)
    try open().fits(model, modelName: "tiny")
    let wide = ModelShape(layers: 4, width: 640, attentionWidth: 8, vocabularySize: 100)
    let error = #expect(throws: DictionaryError.self) { try open().fits(wide, modelName: "gemma-3-270m") }
    let text = error?.description ?? ""
    #expect(text.contains("4 numbers at resid_post.3, which holds 640"))
    #expect(text.contains("reads resid_post.3 [4]") && text.contains("gemma-3-270m, 4 layers of width 640"))
    let shallow = ModelShape(layers: 3, width: 4, attentionWidth: 8, vocabularySize: 100)
    #expect(throws: DictionaryError.self) { try open().fits(shallow, modelName: "tiny") }
    // A cross-layer transcoder speaks of every layer, no fewer and no more.
    try open(layers: 4).fits(model, modelName: "tiny")
    #expect(throws: DictionaryError.self) { try open(layers: 3).fits(model, modelName: "tiny") }
  }

  @Test func otherWeightsGiveAWarning() throws {
    let dictionary = try open()
    #expect(dictionary.weightsWarning(model: "gemma-3-270m") == nil)
    #expect(dictionary.weightsWarning(model: nil) == nil)
    #expect(
      dictionary.weightsWarning(model: "google/gemma-3-270m-it")
        == "dictionary 'd' was trained on google/gemma-3-270m, not on google/gemma-3-270m-it")
  }

  @Test func gemmaScope1TranscodersFitNoSite() throws {
    let source = Fixtures.url("dictionaries/gemma-scope-2b-pt-res/layer_3/width_37/average_l0_9/params.npz")
    let target = folder.url.appending(path: "gemma-scope-2b-pt-transcoders/layer_3/width_16k/average_l0_9")
    try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: source, to: target.appending(path: "params.npz"))
    let dictionary = try SparseDictionary(contentsOf: target, backend: backend)
    #expect(dictionary.shape.reads == [.mlpIn(3)])
    #expect(dictionary.targetL0 == 9)
    let model = ModelShape(layers: 26, width: 32, attentionWidth: 64, vocabularySize: 100)
    let error = #expect(throws: DictionaryError.self) { try dictionary.fits(model, modelName: "tiny") }
    #expect(error?.description.contains("without its gain") == true)
  }

  @Test func gemmaScope1EmbeddingsAreOfAnotherScale() throws {
    let source = Fixtures.url("dictionaries/gemma-scope-2b-pt-res/layer_3/width_37/average_l0_9/params.npz")
    let target = folder.url.appending(path: "gemma-scope-2b-pt-res/embedding/width_4k/average_l0_6")
    try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: source, to: target.appending(path: "params.npz"))
    let dictionary = try SparseDictionary(contentsOf: target, backend: backend)
    #expect(dictionary.shape.reads == [.embed])
    let model = ModelShape(layers: 26, width: 32, attentionWidth: 64, vocabularySize: 100)
    let error = #expect(throws: DictionaryError.self) { try dictionary.fits(model, modelName: "tiny") }
    #expect(error?.description.contains("it was trained on unscaled embeddings (Gemma Scope 1)") == true)
  }
}
