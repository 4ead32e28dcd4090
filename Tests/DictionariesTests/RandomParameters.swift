import Dictionaries
import Sites
import Tensors
import TestSupport

/// Dictionaries of every kind with seeded sizes and weights.
enum RandomParameters {
  struct Kind: Sendable, CustomStringConvertible {
    let kind: DictionaryKind
    let isAffine: Bool
    var description: String { kind.rawValue + (isAffine ? " affine" : "") }
  }

  static let kinds: [Kind] = [
    Kind(kind: .sae, isAffine: false), Kind(kind: .transcoder, isAffine: false),
    Kind(kind: .transcoder, isAffine: true),
    Kind(kind: .crosscoder, isAffine: false), Kind(kind: .clt, isAffine: false), Kind(kind: .clt, isAffine: true),
  ]

  static func shape(_ kind: Kind, random: inout SeededRandom) throws -> DictionaryShape {
    let layers = kind.kind.isMultiLayer ? random.int(1...4) : 1
    var layer = kind.kind == .clt ? -1 : random.int(0...3)
    let sites: [(read: Site, write: Site)] = (0..<layers).map { _ in
      layer += kind.kind == .clt ? 1 : random.int(1...3)
      let same = kind.kind == .sae || kind.kind == .crosscoder
      return same ? (.residPost(layer), .residPost(layer)) : (.mlpIn(layer), .mlpOut(layer))
    }
    let d = [1, 2, 17, 32, 67, 130][random.int(0...5)]
    return try DictionaryShape(
      checking: kind.kind, reads: sites.map(\.read), writes: sites.map(\.write),
      width: [1, 5, 31, 64, 257][random.int(0...4)], inputWidth: d,
      outputWidth: kind.kind == .transcoder ? d + random.int(0...3) : d, isAffine: kind.isAffine)
  }

  /// - Parameter like: the shape to have; random when nil.
  static func make(_ kind: Kind, random: inout SeededRandom, like: DictionaryShape? = nil) throws
    -> DictionaryParameters
  {
    let shape = try like ?? Self.shape(kind, random: &random)
    let (inputs, width, writes, outputs) = (shape.inputWidth, shape.width, shape.writes.count, shape.outputWidth)
    let layers = shape.reads.indices.map { read in
      var decoder = random.floats(width * writes * outputs)
      for place in decoder.indices where place / outputs % writes < read { decoder[place] = 0 }
      return DictionaryParameters.Layer(
        encoder: random.floats(inputs * width), encoderBias: random.floats(width, scale: 0.5),
        threshold: random.floats(width, scale: 0.2).map { $0 + 0.2 }, decoder: decoder,
        decoderBias: random.floats(outputs), skip: shape.isAffine ? random.floats(inputs * outputs) : nil)
    }
    return try DictionaryParameters(shape: shape, layers: layers, modelName: "gemma-3-270m-pt", targetL0: 20.5)
  }

  /// Activations of every read.
  static func inputs(
    _ shape: DictionaryShape, tokens: Int, backend: any Backend, random: inout SeededRandom
  ) throws -> [Tensor] {
    try shape.reads.map { _ in
      try backend.tensor(random.floats(tokens * shape.inputWidth, scale: 3), shape: [tokens, shape.inputWidth])
    }
  }
}
