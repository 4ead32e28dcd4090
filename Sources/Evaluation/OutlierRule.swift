public import Sites
public import Tensors

/// Which tokens are left out for their length: attention sinks are so long that at many sites they are most of the
/// variance, and one figure with them says little about all other tokens.
public struct OutlierRule: Equatable, Sendable {
  /// Attention sinks of Gemma 3 have some twelve times the usual norm; nothing else comes near.
  public static let usualFactor = 6.0

  /// Tokens longer than so many times the median of their sequence are left out.
  public let factor: Double
  /// Where their length is taken; nil for the first site that each dictionary reads.
  public let site: Site?

  public init(factor: Double, site: Site? = nil) {
    self.factor = factor
    self.site = site
  }

  /// Those of `rows` that stay.
  /// - Parameter x: activations of the sequence, [tokens, width].
  public func kept(_ rows: [Int], of x: Tensor) throws -> [Int] {
    guard !rows.isEmpty else { return rows }
    let values = try x.read()
    let norms = rows.map { row in
      values[row * x.rowLength..<(row + 1) * x.rowLength].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
    let limit = norms.sorted()[norms.count / 2] * factor
    return zip(rows, norms).filter { $0.1 <= limit }.map(\.0)
  }
}
