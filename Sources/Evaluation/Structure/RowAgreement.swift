public import Gemma
import Tensors

/// How well two sets of feature vectors agree.
public struct RowAgreement: Equatable, Sendable {
  /// Two features that belong together.
  public struct Pair: Equatable, Sendable {
    /// Of the first set.
    public let a: Int
    /// Of the second.
    public let b: Int
    /// In −1 … 1.
    public let cosine: Double
  }

  /// Vectors of each set.
  public let sizeOfA, sizeOfB: Int
  /// The one-to-one matching of the largest total cosine, ascending in `a`: as many pairs as the smaller set has
  /// vectors.
  public let pairs: [Pair]
  /// How it was found.
  public let method: Assignment.Method
  /// No matching has a larger mean cosine; nil without pairs. Of an exact one the mean itself, within rounding.
  public let upperBound: Double?
  /// Mean over `a` of the largest cosine with any of `b`, not one to one; nil where either is empty.
  public let meanMaximumOfA: Double?
  /// The other way round.
  public let meanMaximumOfB: Double?

  /// - Parameters:
  ///   - exactLimit: vectors up to which the matching is exact; see `CosineMatrix.matching`.
  ///   - check: called often; throws to stop.
  /// - Throws: `TensorError`, what `check` throws.
  public init(_ cosines: CosineMatrix, exactLimit: Int = 4096, check: CancellationCheck = {}) throws {
    let (a, b) = (cosines.a, cosines.b)
    (sizeOfA, sizeOfB) = (a.count, b.count)
    let matching = try cosines.matching(exactLimit: exactLimit, check: check)
    let places = matching.columns.enumerated().compactMap { row, column in column.map { (a: row, b: $0) } }
    pairs = zip(places, try cosines.cosines(of: places)).map { place, cosine in
      Pair(a: a.features[place.a], b: b.features[place.b], cosine: cosine)
    }.sorted { $0.a < $1.a }
    method = matching.method
    upperBound = pairs.isEmpty ? nil : matching.upperBound / Double(pairs.count)
    let extremes = try cosines.extremes(check: check)
    meanMaximumOfA = Self.mean(extremes.ofA.compactMap { $0 }.map { Double($0.cosine) })
    meanMaximumOfB = Self.mean(extremes.ofB.compactMap { $0 }.map { Double($0.cosine) })
  }

  /// Mean cosine of the pairs; nil without any.
  public var matchedCosine: Double? { Self.mean(pairs.map(\.cosine)) }

  /// Share of the pairs with a cosine of at least `threshold`; nil without pairs.
  public func share(atLeast threshold: Double) -> Double? {
    pairs.isEmpty ? nil : Double(pairs.count { $0.cosine >= threshold }) / Double(pairs.count)
  }

  static func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }
}
