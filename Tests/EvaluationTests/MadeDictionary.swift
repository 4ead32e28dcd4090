import Dictionaries
import Foundation
import Sites
import TestSupport
import Tensors

/// Dictionaries of random or given numbers, written to a folder and opened.
enum MadeDictionary {
  static func shape(
    _ kind: DictionaryKind = .sae, reads: Int = 1, width: Int, inputs: Int, isAffine: Bool = false, layer: Int = 3
  ) throws -> DictionaryShape {
    let places = (0..<reads).map { layer + $0 }
    let readsWhatItWrites = kind == .sae || kind == .crosscoder
    return try DictionaryShape(
      checking: kind, reads: places.map { readsWhatItWrites ? Site(.residPost, layer: $0) : Site(.mlpIn, layer: $0) },
      writes: places.map { readsWhatItWrites ? Site(.residPost, layer: $0) : Site(.mlpOut, layer: $0) }, width: width,
      inputWidth: inputs, outputWidth: inputs, isAffine: isAffine)
  }

  static func random(_ shape: DictionaryShape, seed: UInt64) throws -> DictionaryParameters {
    var random = SeededRandom(seed: seed)
    let (width, inputs, outputs) = (shape.width, shape.inputWidth, shape.outputWidth)
    let layers = shape.reads.indices.map { read -> DictionaryParameters.Layer in
      var decoder = random.floats(width * shape.writes.count * outputs)
      for feature in 0..<width {
        let start = feature * shape.writes.count * outputs
        for place in start..<start + read * outputs { decoder[place] = 0 }
      }
      return DictionaryParameters.Layer(
        encoder: random.floats(inputs * width), encoderBias: random.floats(width, scale: 0.1),
        threshold: random.floats(width).map { abs($0) + 0.1 }, decoder: decoder, decoderBias: random.floats(outputs),
        skip: shape.isAffine ? random.floats(inputs * outputs, scale: 0.2) : nil)
    }
    return try DictionaryParameters(shape: shape, layers: layers)
  }

  /// An SAE with these decoder rows, which its encoder looks for.
  static func tied(_ rows: [[Float]], threshold: Float = 0.5, layer: Int = 3) throws -> DictionaryParameters {
    let inputs = rows[0].count
    let shape = try shape(width: rows.count, inputs: inputs, layer: layer)
    return try DictionaryParameters(
      shape: shape,
      layers: [
        DictionaryParameters.Layer(
          encoder: (0..<inputs).flatMap { i in rows.map { $0[i] } },
          encoderBias: [Float](repeating: 0, count: rows.count),
          threshold: [Float](repeating: threshold, count: rows.count), decoder: rows.flatMap { $0 },
          decoderBias: [Float](repeating: 0, count: inputs))
      ])
  }

  /// The features named, in this order, of every read.
  static func selecting(_ features: [Int], of parameters: DictionaryParameters) throws -> DictionaryParameters {
    let old = parameters.shape
    let shape = try DictionaryShape(
      checking: old.kind, reads: old.reads, writes: old.writes, width: features.count, inputWidth: old.inputWidth,
      outputWidth: old.outputWidth, isAffine: old.isAffine)
    let row = old.writes.count * old.outputWidth
    return try DictionaryParameters(
      shape: shape,
      layers: parameters.layers.map { layer in
        DictionaryParameters.Layer(
          encoder: (0..<old.inputWidth).flatMap { i in features.map { layer.encoder[i * old.width + $0] } },
          encoderBias: features.map { layer.encoderBias[$0] }, threshold: features.map { layer.threshold[$0] },
          decoder: features.flatMap { layer.decoder[$0 * row..<($0 + 1) * row] }, decoderBias: layer.decoderBias,
          skip: layer.skip)
      })
  }

  static func open(
    _ parameters: DictionaryParameters, name: String = "made", model: String? = nil, backend: any Backend
  ) throws -> SparseDictionary {
    let folder = try TemporaryDirectory()
    var parameters = parameters
    parameters.modelName = model
    let place = folder.url.appending(path: "dictionary")
    try parameters.write(to: place)
    // The files stay mapped when the folder goes.
    return try withExtendedLifetime(folder) { try SparseDictionary(contentsOf: place, name: name, backend: backend) }
  }
}

extension SeededRandom {
  /// A nearly normal number.
  mutating func normal() -> Float { (0..<12).reduce(Float(0)) { sum, _ in sum + float() } / 2 }

  mutating func direction(_ width: Int) -> [Float] {
    let values = (0..<width).map { _ in normal() }
    let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return values.map { $0 / length }
  }
}

/// cos(a, b) in fp64, 0 for a vector of zeros.
func cosine(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Double {
  var (product, x, y) = (0.0, 0.0, 0.0)
  for (i, j) in zip(a, b) {
    product += Double(i) * Double(j)
    x += Double(i) * Double(i)
    y += Double(j) * Double(j)
  }
  return x > 0 && y > 0 ? product / (x * y).squareRoot() : 0
}
