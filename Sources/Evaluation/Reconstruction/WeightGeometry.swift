public import Dictionaries
public import Gemma
import Tensors

/// How the vectors of one read's features lie, told from the weights alone. Arrays hold one entry a feature.
public struct WeightGeometry: Equatable, Sendable {
  /// The feature whose vector is nearest to a feature's own.
  public struct Nearest: Equatable, Sendable {
    public let feature: Int
    /// The cosine with it, in −1 … 1.
    public let cosine: Double
  }

  /// Lengths of decoder rows, over all writes.
  public let decoderNorms: [Double]
  /// Lengths of encoder columns.
  public let encoderNorms: [Double]
  /// Cosine of a feature's encoder column with its decoder row at the layer it reads; nil where either is zero. No
  /// array for kinds that write another site than they read: the two vectors lie in different spaces.
  public let encoderDecoderCosines: [Double?]?
  /// Of decoder rows over all writes; nil for a dictionary of one feature.
  public let nearestDecoder: [Nearest?]
  /// Of encoder columns, alike.
  public let nearestEncoder: [Nearest?]

  /// - Parameter check: called before each tile of cosines.
  /// - Throws: `DictionaryError.outOfRange`, `TensorError`, `EvaluationError.shape` for weights that are not finite,
  ///   what `check` throws.
  /// - Complexity: F² · d for each of encoder and decoder; the F × F cosines are never held.
  public init(_ dictionary: SparseDictionary, read: Int = 0, check: CancellationCheck = {}) throws {
    let (shape, backend) = (dictionary.shape, dictionary.backend)
    let decoder = try UnitRows(decoderOf: dictionary, read: read)
    let encoder = try UnitRows(encoderOf: dictionary, read: read)
    func nearest(_ rows: UnitRows) throws -> [Nearest?] {
      try CosineMatrix(rows, rows, backend: backend).extremes(leavingOutSamePlace: true, check: check).ofA.map {
        $0.map { Nearest(feature: $0.place, cosine: Double($0.cosine)) }
      }
    }
    decoderNorms = decoder.norms
    encoderNorms = encoder.norms
    nearestDecoder = try nearest(decoder)
    nearestEncoder = try nearest(encoder)
    guard shape.reads == shape.writes else {
      encoderDecoderCosines = nil
      return
    }
    let (columns, rows, width) = (try encoder.unit.read(), try decoder.unit.read(), decoder.width)
    encoderDecoderCosines = (0..<shape.width).map { feature in
      var (product, square) = (0.0, 0.0)
      // The decoder's first write is the layer that the feature reads.
      for i in 0..<shape.inputWidth {
        let value = Double(rows[feature * width + i])
        product += value * Double(columns[feature * shape.inputWidth + i])
        square += value * value
      }
      guard square > 0, encoder.norms[feature] > 0 else { return nil }
      return min(max(product / square.squareRoot(), -1), 1)
    }
  }

  /// Mean of `encoderDecoderCosines` where there is one.
  public var meanEncoderDecoderCosine: Double? {
    let defined = (encoderDecoderCosines ?? []).compactMap { $0 }
    return defined.isEmpty ? nil : defined.reduce(0, +) / Double(defined.count)
  }

  /// Mean cosine of decoder rows with their nearest.
  public var meanNearestDecoderCosine: Double? {
    let defined = nearestDecoder.compactMap { $0?.cosine }
    return defined.isEmpty ? nil : defined.reduce(0, +) / Double(defined.count)
  }
}
