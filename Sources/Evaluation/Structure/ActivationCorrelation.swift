public import Dictionaries
import Tensors

/// Pearson correlations, over tokens, of the activations of features of two dictionaries that belong together. It asks
/// of matched features whether they also do the same.
public struct ActivationCorrelation: Sendable {
  /// Sums over tokens of one pair's activations f and g.
  private struct Sums: Sendable {
    var f = 0.0, g = 0.0, ff = 0.0, gg = 0.0, fg = 0.0
  }

  /// The pairs: a feature of the first dictionary, one of the second.
  public let pairs: [(a: Int, b: Int)]
  public let read: Int
  /// Tokens counted.
  public private(set) var tokens = 0
  private let ofA: [Int32: Int]
  private let ofB: [Int32: Int]
  private var sums: [Sums]

  /// - Parameters:
  ///   - pairs: such as `RowAgreement.pairs`; each feature in at most one.
  ///   - read: the read they belong to.
  /// - Throws: `EvaluationError.shape` for a feature in two pairs.
  public init(_ pairs: [(a: Int, b: Int)], read: Int = 0) throws {
    func places(_ features: [Int]) throws -> [Int32: Int] {
      var places: [Int32: Int] = [:]
      for (place, feature) in features.enumerated() {
        guard let short = Int32(exactly: feature), places.updateValue(place, forKey: short) == nil else {
          throw EvaluationError.shape(
            what: "correlated features", expected: "each in one pair", found: "feature \(feature) again, or no feature")
        }
      }
      return places
    }
    (self.pairs, self.read) = (pairs, read)
    (ofA, ofB) = (try places(pairs.map(\.a)), try places(pairs.map(\.b)))
    sums = [Sums](repeating: Sums(), count: pairs.count)
  }

  /// Adds tokens that both dictionaries coded.
  /// - Throws: `EvaluationError.shape` for codes without the read or the rows.
  public mutating func add(_ a: DictionaryCode, _ b: DictionaryCode, rows: [Int]) throws {
    guard a.layers.indices ~= read, b.layers.indices ~= read, a.rows == b.rows,
      rows.allSatisfy({ 0..<a.rows ~= $0 })
    else {
      throw EvaluationError.shape(
        what: "correlated codes", expected: "codes of as many tokens with read \(read) and the rows counted",
        found: "\(a.layers.count) reads of \(a.rows) rows and \(b.layers.count) of \(b.rows)")
    }
    let (codeA, codeB) = (a.layers[read], b.layers[read])
    for row in rows {
      for entry in codeA.entries(ofRow: row) {
        guard let pair = ofA[codeA.features[entry]] else { continue }
        let f = Double(codeA.activations[entry])
        sums[pair].f += f
        sums[pair].ff += f * f
        sums[pair].fg += f * Double(codeB.activation(ofFeature: pairs[pair].b, inRow: row))
      }
      for entry in codeB.entries(ofRow: row) {
        guard let pair = ofB[codeB.features[entry]] else { continue }
        let g = Double(codeB.activations[entry])
        sums[pair].g += g
        sums[pair].gg += g * g
      }
    }
    tokens += rows.count
  }

  /// The correlation of each pair; nil where a feature's activation is the same on every token, as a dead one's is.
  public var correlations: [Double?] {
    let n = Double(tokens)
    return sums.map { sums in
      let (f, g) = (n * sums.ff - sums.f * sums.f, n * sums.gg - sums.g * sums.g)
      // What rounding leaves of a constant is no variance.
      guard f > 1e-12 * n * sums.ff, g > 1e-12 * n * sums.gg else { return nil }
      return min(max((n * sums.fg - sums.f * sums.g) / (f * g).squareRoot(), -1), 1)
    }
  }

  /// Mean of the correlations there are; nil without any.
  public var mean: Double? { RowAgreement.mean(correlations.compactMap { $0 }) }
}
