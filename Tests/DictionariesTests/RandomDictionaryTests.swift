import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Testing

/// Random dictionaries of many shapes against the reference.
struct RandomDictionaryTests {
  @Test(arguments: [(1, 1, 1), (7, 1, 3), (13, 31, 5), (64, 257, 4), (40, 97, 33), (17, 1031, 2)], [false, true])
  func singleLayer(_ sizes: (d: Int, features: Int, tokens: Int), isAffine: Bool) throws {
    var random = SeededRandom(seed: UInt64(sizes.d * 1000 + sizes.features))
    let outputs = isAffine ? sizes.d + 2 : sizes.d
    let reference = ReferenceDictionary(
      inputs: sizes.d, outputs: outputs, features: sizes.features, isAffine: isAffine, random: &random)
    let folder = try TemporaryDirectory()
    let hooks = (
      reads: "model.layers.3.pre_feedforward_layernorm.output",
      writes: "model.layers.3.post_feedforward_layernorm.output"
    )
    try reference.write(
      to: folder.url,
      config: isAffine
        ? configJSON(type: "transcoder", reads: hooks.reads, writes: hooks.writes, affine: true) : configJSON())
    let dictionary = try SparseDictionary(contentsOf: folder.url, backend: NativeBackend(threads: 2))
    let x = random.floats(sizes.tokens * sizes.d)
    try expectAgreement(dictionary, reference, [x])
  }

  @Test(arguments: [1, 2, 5], [false, true])
  func crossLayer(_ layers: Int, isAffine: Bool) throws {
    var random = SeededRandom(seed: UInt64(layers))
    let reference = ReferenceDictionary(
      inputs: 11, outputs: 11, features: 23, layers: layers, isAffine: isAffine, random: &random)
    let folder = try TemporaryDirectory()
    let config = configJSON(
      type: "clt", reads: "model.layers.{all}.pre_feedforward_layernorm.output",
      writes: "model.layers.{all}.post_feedforward_layernorm.output", width: 23 * layers, affine: isAffine)
    try reference.write(to: folder.url, isMultiLayer: true, config: config)
    for limit in [0, Int.max] {
      let dictionary = try SparseDictionary(
        contentsOf: folder.url, backend: NativeBackend(threads: 2), residentLimit: limit)
      #expect(dictionary.shape.totalWidth == 23 * layers)
      #expect(dictionary.shape.reads == (0..<layers).map { .mlpIn($0) })
      try expectAgreement(dictionary, reference, (0..<layers).map { _ in random.floats(6 * 11) })
    }
  }

  private func expectAgreement(_ dictionary: SparseDictionary, _ reference: ReferenceDictionary, _ x: [[Float]]) throws
  {
    let inputs = try x.map { try Tensor($0, shape: [$0.count / reference.inputs, reference.inputs]) }
    let (code, outputs) = try dictionary.reconstruct(inputs)
    for read in x.indices {
      #expect(
        relativeDifference(dense(code.layers[read], width: reference.features), reference.encode(x[read], read: read))
          < 1e-5)
    }
    // A reconstruction is that of no features, plus what the even and the odd ones write.
    let none = try dictionary.decode(
      DictionaryCode(code.layers.map { SparseCode(emptyRows: $0.rows) }), inputs: inputs)
    let parts = try [0, 1].map { try dictionary.contributions(of: part(of: code, remainder: $0)) }
    for write in outputs.indices {
      #expect(outputs[write].shape == [inputs[0].rows, reference.outputs])
      #expect(try relativeDifference(outputs[write].read(), reference.reconstruct(x, write: write)) < 1e-5)
      let written = zip(try parts[0][write].read(), try parts[1][write].read()).map { $0 + $1 }
      let sum = zip(try none[write].read(), written).map { $0 + $1 }
      #expect(try relativeDifference(sum, outputs[write].read().map(Double.init)) < 1e-5)
    }
  }

  /// The entries of a code whose feature leaves this remainder when halved.
  private func part(of code: DictionaryCode, remainder: Int32) throws -> DictionaryCode {
    try DictionaryCode(
      code.layers.map { layer in
        let rows = (0..<layer.rows).map { row in
          layer.entries(ofRow: row).filter { layer.features[$0] % 2 == remainder }
        }
        return try SparseCode(
          rowOffsets: rows.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) },
          features: rows.joined().map { layer.features[$0] }, activations: rows.joined().map { layer.activations[$0] })
      })
  }

  @Test func rowsAndColumnsAreTheStoredNumbers() throws {
    var random = SeededRandom(seed: 9)
    let reference = ReferenceDictionary(inputs: 5, outputs: 5, features: 7, layers: 3, random: &random)
    let folder = try TemporaryDirectory()
    try reference.write(
      to: folder.url, isMultiLayer: true,
      config: configJSON(
        type: "crosscoder", reads: "model.layers.{1,4,9}.output", writes: "model.layers.{1,4,9}.output"))
    let dictionary = try SparseDictionary(contentsOf: folder.url, backend: NativeBackend(threads: 1))
    for read in 0..<3 {
      let layer = reference.layers[read]
      for feature in 0..<7 {
        #expect(
          try dictionary.encoderColumn(read: read, feature: feature) == (0..<5).map { layer.encoder[$0 * 7 + feature] })
        #expect(try dictionary.threshold(read: read, feature: feature) == layer.threshold[feature])
        #expect(try dictionary.encoderBias(read: read, feature: feature) == layer.encoderBias[feature])
        for write in 0..<3 {
          let start = (feature * 3 + write) * 5
          let row = write < read ? [Float](repeating: 0, count: 5) : Array(layer.decoder[start..<start + 5])
          #expect(try dictionary.decoderRow(read: read, feature: feature, write: write) == row)
        }
        #expect(
          try dictionary.decoderRow(read: read, feature: feature)
            == dictionary.decoderRow(read: read, feature: feature, write: read))
      }
      #expect(try dictionary.decoderBias(write: read) == layer.decoderBias)
    }
    #expect(throws: DictionaryError.outOfRange(what: "feature", value: 7, limit: 7)) {
      try dictionary.decoderRow(feature: 7)
    }
    #expect(throws: DictionaryError.outOfRange(what: "layer", value: 3, limit: 3)) {
      try dictionary.encoderColumn(read: 3, feature: 0)
    }
    #expect(throws: DictionaryError.outOfRange(what: "written layer", value: -1, limit: 3)) {
      try dictionary.decoderRow(feature: 0, write: -1)
    }
  }
}
