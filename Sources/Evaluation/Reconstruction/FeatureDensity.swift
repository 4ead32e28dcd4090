import Foundation
public import Dictionaries
import Tensors

/// How often each feature is active, over the tokens that count.
public struct FeatureDensity: Equatable, Sendable {
  /// Features whose density's logarithm lies in a bin.
  public struct Bin: Equatable, Sendable {
    /// log₁₀ of the densities, the lower end included.
    public let logDensity: Range<Double>
    public let features: Int
  }

  /// Tokens counted.
  public private(set) var tokens = 0
  /// For each read and feature the tokens on which it is active.
  public private(set) var counts: [[Int]]

  public init(_ shape: DictionaryShape) {
    counts = shape.reads.map { _ in [Int](repeating: 0, count: shape.width) }
  }

  /// Adds tokens.
  /// - Throws: `EvaluationError.shape` for a code of another dictionary.
  public mutating func add(_ code: DictionaryCode, rows: [Int]) throws {
    try code.forEachActive(in: rows, widths: counts.map(\.count), what: "feature density") { read, feature, _ in
      counts[read][feature] += 1
    }
    tokens += rows.count
  }

  /// Features of all reads.
  public var features: Int { counts.reduce(0) { $0 + $1.count } }

  /// Features active on none of the tokens. One of density p is missed by n tokens with probability (1 − p)ⁿ.
  public var dead: Int { counts.reduce(0) { $0 + $1.count { $0 == 0 } } }

  /// `dead` as a share of all features; nil without tokens.
  public var deadShare: Double? { tokens > 0 && features > 0 ? Double(dead) / Double(features) : nil }

  /// Features of a density above `limit`, as a share of all, and what share of all activity is theirs.
  public func frequent(above limit: Double) -> (features: Double, activity: Double)? {
    guard tokens > 0, features > 0 else { return nil }
    let least = limit * Double(tokens)
    let chosen = counts.joined().filter { Double($0) > least }
    let all = counts.reduce(0) { $0 + $1.reduce(0, +) }
    return (
      Double(chosen.count) / Double(features), all > 0 ? Double(chosen.reduce(0, +)) / Double(all) : 0
    )
  }

  /// Bins of a quarter of a decade, down to the bin of one token in all; features that are dead lie in none.
  public var histogram: [Bin] {
    guard tokens > 0 else { return [] }
    // The last bin ends at 0 and includes a density of 1.
    let bins = max(1, Int((log10(Double(tokens)) * Self.binsPerDecade).rounded(.up)))
    var features = [Int](repeating: 0, count: bins)
    for count in counts.joined() where count > 0 {
      let place = (log10(Double(count) / Double(tokens)) * Self.binsPerDecade).rounded(.down)
      features[min(max(bins + Int(place), 0), bins - 1)] += 1
    }
    return features.enumerated().map { index, features in
      let low = Double(index - bins) / Self.binsPerDecade
      return Bin(logDensity: low..<low + 1 / Self.binsPerDecade, features: features)
    }
  }

  private static let binsPerDecade = 4.0
}
