package import Tensors

/// Decoder rows of the features that words activate, each read once.
package struct WrittenRows {
  private let row: (Int) throws -> [Float]
  private let width: Int
  private var known: [Int: (row: [Float], norm: Double)] = [:]
  /// The shortest and the longest row read so far.
  package private(set) var norms: ClosedRange<Double>?

  /// - Parameter row: what a feature writes, of `width` numbers.
  package init(row: @escaping (Int) throws -> [Float], width: Int) {
    (self.row, self.width) = (row, width)
  }

  /// What row `row` of `code` activates, against a direction of length 1.
  /// - Throws: `EvaluationError.shape` for a decoder row of another length, and what reading it throws.
  package mutating func active(
    _ code: SparseCode, row: Int, direction: [Double]
  ) throws -> [WordAbsorption.Active] {
    try code.entries(ofRow: row).map { entry in
      let feature = Int(code.features[entry])
      let (written, norm) = try read(feature)
      let product = zip(written, direction).reduce(0.0) { $0 + Double($1.0) * $1.1 }
      let activation = Double(code.activations[entry])
      return WordAbsorption.Active(
        feature: feature, activation: activation, cosine: norm > 0 ? product / norm : 0,
        contribution: activation * product)
    }
  }

  private mutating func read(_ feature: Int) throws -> (row: [Float], norm: Double) {
    if let found = known[feature] { return found }
    let values = try row(feature)
    guard values.count == width else {
      throw EvaluationError.shape(
        what: "decoder row \(feature)", expected: "\(width) numbers", found: "\(values.count)")
    }
    let norm = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    known[feature] = (values, norm)
    norms = norms.map { min($0.lowerBound, norm)...max($0.upperBound, norm) } ?? norm...norm
    return (values, norm)
  }
}
