public import Dictionaries
import Foundation
public import Tensors

/// Vectors of features, each divided by its length, so that products of them are cosines. A vector of zeros stays so
/// and has cosine 0 with everything.
public struct UnitRows: Sendable {
  /// The feature that each row belongs to.
  public let features: [Int]
  /// Lengths before the division.
  public let norms: [Double]
  /// [features, width], fp32.
  public let unit: Tensor

  /// Number of rows.
  public var count: Int { features.count }
  /// Length of a row.
  public var width: Int { unit.rowLength }

  /// Rows of any numbers.
  /// - Parameters:
  ///   - values: [rows, width].
  ///   - features: what to call them; 0, 1, … when nil.
  /// - Throws: `EvaluationError.shape` for a count that does not fit and for numbers that are not finite.
  public init(_ values: [Float], width: Int, features: [Int]? = nil) throws {
    let count = features?.count ?? (width > 0 ? values.count / width : 0)
    guard width > 0, values.count == count * width else {
      throw EvaluationError.shape(what: "rows", expected: "[\(count), \(width)]", found: "\(values.count) numbers")
    }
    self.features = features ?? Array(0..<count)
    var (unit, norms) = (values, [Double]())
    norms.reserveCapacity(count)
    for row in 0..<count {
      let range = row * width..<(row + 1) * width
      var square = 0.0
      for i in range { square += Double(values[i]) * Double(values[i]) }
      guard square.isFinite else {
        throw EvaluationError.shape(
          what: "the vector of feature \(self.features[row])", expected: "finite numbers", found: "others")
      }
      let norm = square.squareRoot()
      if norm > 0 { for i in range { unit[i] = Float(Double(values[i]) / norm) } }
      norms.append(norm)
    }
    self.norms = norms
    self.unit = try Tensor(unit, shape: [count, width])
  }

  /// Decoder rows of one read, over all writes it has, one after another.
  /// - Parameter features: which, in this order; all when nil.
  /// - Throws: `DictionaryError.outOfRange`, `TensorError`, `EvaluationError.shape`.
  public init(decoderOf dictionary: SparseDictionary, read: Int = 0, features: [Int]? = nil) throws {
    let shape = dictionary.shape
    guard shape.reads.indices ~= read else {
      throw DictionaryError.outOfRange(what: "layer", value: read, limit: shape.reads.count)
    }
    let chosen = features ?? Array(0..<shape.width)
    let width = (shape.writes.count - read) * shape.outputWidth
    var values: [Float] = []
    values.reserveCapacity(chosen.count * width)
    for feature in chosen {
      for write in read..<shape.writes.count {
        values += try dictionary.decoderRow(read: read, feature: feature, write: write)
      }
    }
    try self.init(values, width: width, features: chosen)
  }

  /// Encoder columns of one read.
  /// - Parameter features: which, in this order; all when nil.
  /// - Throws: `DictionaryError.outOfRange`, `TensorError`, `EvaluationError.shape`.
  public init(encoderOf dictionary: SparseDictionary, read: Int = 0, features: [Int]? = nil) throws {
    let (width, inputs) = (dictionary.shape.width, dictionary.shape.inputWidth)
    let chosen = features ?? Array(0..<width)
    if let outside = chosen.first(where: { !(0..<width ~= $0) }) {
      throw DictionaryError.outOfRange(what: "feature", value: outside, limit: width)
    }
    // The whole matrix once: a column alone touches as many pages as the input has numbers.
    let stored = try dictionary.plainTensor("w_enc", read: read).read()
    var values = [Float](repeating: 0, count: chosen.count * inputs)
    for (row, feature) in chosen.enumerated() {
      for i in 0..<inputs { values[row * inputs + i] = stored[i * width + feature] }
    }
    try self.init(values, width: inputs, features: chosen)
  }

  /// Directions drawn evenly from the sphere: normal numbers (Box & Muller 1958), divided by their length.
  /// - Parameter stream: sets of rows that must not depend on each other have streams of their own.
  /// - Throws: `EvaluationError.shape` for a width below 1, `TensorError.outOfMemory`.
  public init(random count: Int, width: Int, seed: UInt64, stream: UInt64 = 0) throws {
    guard count >= 0, width > 0 else {
      throw EvaluationError.shape(what: "random rows", expected: "a width from 1", found: "[\(count), \(width)]")
    }
    var random = SplitMix64(seed: seed, stream: stream)
    var values = [Float](repeating: 0, count: count * width)
    for i in stride(from: 0, to: values.count, by: 2) {
      let radius = (-2 * log(1 - random.unit())).squareRoot()
      let angle = 2 * Double.pi * random.unit()
      values[i] = Float(radius * cos(angle))
      if i + 1 < values.count { values[i + 1] = Float(radius * sin(angle)) }
    }
    try self.init(values, width: width)
  }

  private init(features: [Int], norms: [Double], unit: Tensor) {
    (self.features, self.norms, self.unit) = (features, norms, unit)
  }

  /// Some of the rows, by their places, in that order.
  func selecting(_ places: [Int], on backend: any Backend) throws -> UnitRows {
    UnitRows(
      features: places.map { features[$0] }, norms: places.map { norms[$0] },
      unit: try backend.select(unit, rows: places))
  }
}

extension FeatureDensity {
  /// Features of one read that were active on some token.
  /// - Throws: `EvaluationError.shape` when there is no such read.
  public func alive(read: Int = 0) throws -> [Int] {
    guard counts.indices ~= read else {
      throw EvaluationError.shape(what: "alive features", expected: "a read below \(counts.count)", found: "\(read)")
    }
    return counts[read].indices.filter { counts[read][$0] > 0 }
  }
}
