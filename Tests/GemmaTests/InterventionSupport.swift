import Checkpoints
import Dictionaries
import Foundation
import Gemma
import Sites
import Tensors
import TestSupport

/// The tiny model with a text, and what interventions on it are compared with.
struct InterventionBench {
  let backend: NativeBackend
  let model: GemmaModel
  /// The first prompt of the fixture; it starts with the special token 2.
  let tokens: [Int32]

  init() throws {
    backend = try NativeBackend(threads: 2)
    model = try TinyGemma.model(backend: backend)
    tokens = try TinyGemma.tokens(try TinyGemma.dumps(), 0)
  }

  static let residual = "resid_post/layer_3_width_37_l0_small"
  static let transcoder = "transcoder/layer_4_width_53_l0_small"
  static let affineTranscoder = "transcoder/layer_4_width_53_l0_small_affine"
  static let crosscoder = "crosscoder/layer_1_2_4_6_width_148_l0_medium"
  static let clt = "clt/width_203_l0_big"
  static let affineCLT = "clt/width_203_l0_big_affine"

  func dictionary(_ path: String, name: String? = nil) throws -> SparseDictionary {
    try SparseDictionary(contentsOf: Fixtures.url("dictionaries/\(path)"), name: name, backend: backend)
  }

  func plan(
    _ interventions: [Intervention], _ dictionaries: [SparseDictionary] = [], specialTokens: Set<Int32> = [2]
  ) throws -> InterventionPlan {
    try InterventionPlan(
      InterventionList(interventions), dictionaries: dictionaries, model: model, specialTokens: specialTokens)
  }

  func logits(_ visitor: (any SiteVisitor)?) throws -> [Float] {
    try model.forward([tokens], logits: .all, visitor: visitor).logits?.read() ?? []
  }

  func activations(_ site: Site, _ visitor: (any SiteVisitor)? = nil) throws -> [Float] {
    try model.forward([tokens], capture: [site], logits: .none, visitor: visitor).activations[site]?.read() ?? []
  }
}

/// A visitor made of closures on plain rows.
final class HandVisitor: SiteVisitor {
  typealias Edit = (inout [[Double]]) -> Void
  private let edits: [Site: Edit]

  init(_ edits: [Site: Edit]) { self.edits = edits }

  func visits(_ site: Site) -> Bool { edits[site] != nil }

  func visit(_ site: Site, _ x: Tensor, rows: RowLayout) throws -> Tensor {
    let values = try x.read()
    var table = (0..<x.rows).map { row in values[row * x.rowLength..<(row + 1) * x.rowLength].map { Double($0) } }
    edits[site]?(&table)
    return try Tensor(table.flatMap { $0.map { Float($0) } }, shape: x.shape)
  }
}

/// A dictionary's weights as plain numbers, run feature by feature.
struct HandDictionary {
  private struct Layer {
    let encoder, encoderBias, threshold, decoder, decoderBias: [Double]
    let skip: [Double]?
  }

  let shape: DictionaryShape
  private let layers: [Layer]

  init(_ dictionary: SparseDictionary) throws {
    shape = dictionary.shape
    layers = try shape.reads.indices.map { read in
      let name = dictionary.shape.isMultiLayer ? "params_layer_\(read).safetensors" : "params.safetensors"
      let file = try SafetensorsFile(dictionary.url.appending(path: name))
      func numbers(_ tensor: String) throws -> [Double] { try file.tensor(tensor).read().map { Double($0) } }
      return Layer(
        encoder: try numbers("w_enc"), encoderBias: try numbers("b_enc"), threshold: try numbers("threshold"),
        decoder: try numbers("w_dec"), decoderBias: try numbers("b_dec"),
        skip: file.contains("affine_skip_connection") ? try numbers("affine_skip_connection") : nil)
    }
  }

  /// The activation of every feature of one read.
  func encode(_ x: [Double], read: Int) -> [Double] {
    let layer = layers[read]
    return (0..<shape.width).map { feature in
      let dot = x.indices.reduce(0) { $0 + x[$1] * layer.encoder[$1 * shape.width + feature] }
      let pre = dot + layer.encoderBias[feature]
      return pre > layer.threshold[feature] && pre > 0 ? pre : 0
    }
  }

  func row(read: Int, feature: Int, write: Int) -> [Double] {
    let start = (feature * shape.writes.count + write) * shape.outputWidth
    return Array(layers[read].decoder[start..<start + shape.outputWidth])
  }

  /// Write `write` from the codes of the reads up to it; `input` is what read `write` encoded.
  func decode(_ codes: [[Double]], write: Int, input: [Double]) -> [Double] {
    var y = layers[write].decoderBias
    for read in 0...write {
      for (feature, activation) in codes[read].enumerated() where activation != 0 {
        let row = row(read: read, feature: feature, write: write)
        for i in y.indices { y[i] += activation * row[i] }
      }
    }
    if let skip = layers[write].skip {
      for (j, value) in input.enumerated() {
        for i in y.indices { y[i] += value * skip[j * y.count + i] }
      }
    }
    return y
  }
}

/// A sparse autoencoder of random weights in a folder of its own.
struct MadeDictionary {
  let folder: TemporaryDirectory
  let dictionary: SparseDictionary

  /// - Parameters:
  ///   - tied: decoder rows point where the encoder columns do, each feature's product with itself being 1.
  ///   - maxima: the `max_activations` of `training.json`.
  init(
    site: Site, inputWidth: Int, width: Int, tied: Bool = false, maxima: [Double]? = nil, seed: UInt64 = 1,
    name: String = "made", change: (inout [String: [Float]]) -> Void = { _ in }
  ) throws {
    var random = SeededRandom(seed: seed)
    let encoder = random.floats(inputWidth * width)
    var decoder = random.floats(width * inputWidth)
    if tied {
      for feature in 0..<width {
        let column = (0..<inputWidth).map { encoder[$0 * width + feature] }
        let square = column.reduce(0) { $0 + $1 * $1 }
        for i in 0..<inputWidth { decoder[feature * inputWidth + i] = column[i] / square }
      }
    }
    var tensors = [
      "w_enc": encoder, "b_enc": random.floats(width, scale: 0.1), "w_dec": decoder,
      "threshold": random.floats(width, scale: 0.5).map(abs), "b_dec": random.floats(inputWidth),
    ]
    change(&tensors)
    let shapes = [
      "w_enc": [inputWidth, width], "b_enc": [width], "w_dec": [width, inputWidth], "threshold": [width],
      "b_dec": [inputWidth],
    ]
    folder = try TemporaryDirectory()
    var stored: [String: Tensor] = [:]
    for (name, values) in tensors { stored[name] = try Tensor(values, shape: shapes[name] ?? []) }
    try SafetensorsWriter.write(stored, to: folder.url.appending(path: "params.safetensors"))
    if let maxima { _ = try folder.write("{\"max_activations\":\(maxima)}".utf8, as: "training.json") }
    dictionary = try SparseDictionary(
      contentsOf: folder.url, name: name, site: site, backend: try NativeBackend(threads: 1))
  }
}

/// A vector in a safetensors file of its own.
struct MadeVector {
  let folder: TemporaryDirectory
  let values: [Float]

  init(_ values: [Float], shape: [Int]? = nil) throws {
    folder = try TemporaryDirectory()
    self.values = values
    try SafetensorsWriter.write(
      ["v": try Tensor(values, shape: shape ?? [values.count])], to: folder.url.appending(path: "v.safetensors"))
  }

  var target: Intervention.Target { .vector(.init(file: folder.url.appending(path: "v.safetensors"), tensor: "v")) }
}

/// What is written to a Gemma error's `intervention` case.
func interventionProblem(_ body: () throws -> Void) -> (index: Int, problem: String)? {
  do {
    try body()
    return nil
  } catch GemmaError.intervention(let index, let problem) {
    return (index, problem)
  } catch {
    return (-1, "\(error)")
  }
}
