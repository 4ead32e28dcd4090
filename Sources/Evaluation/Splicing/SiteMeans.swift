public import Sites
public import Tensors

/// Mean activation of sites over the tokens that count, in fp64.
public struct SiteMeans: Sendable {
  private var sums: [Site: [Double]] = [:]
  private var counts: [Site: Int] = [:]

  public init() {}

  /// Adds rows of [tokens, width].
  public mutating func add(_ x: Tensor, rows: [Int], at site: Site) throws {
    let (values, width) = (try x.read(), x.rowLength)
    var sum = sums.removeValue(forKey: site) ?? [Double](repeating: 0, count: width)
    guard sum.count == width, rows.allSatisfy({ 0..<x.rows ~= $0 }) else {
      throw EvaluationError.shape(
        what: "mean of \(site)", expected: "rows of \(sum.count) numbers", found: "\(x.shape)")
    }
    for row in rows { for i in 0..<width { sum[i] += Double(values[row * width + i]) } }
    sums[site] = sum
    counts[site, default: 0] += rows.count
  }

  /// The mean; nil for a site of which no token was added.
  public func mean(of site: Site) -> [Float]? {
    guard let sum = sums[site], let count = counts[site], count > 0 else { return nil }
    return sum.map { Float($0 / Double(count)) }
  }
}
