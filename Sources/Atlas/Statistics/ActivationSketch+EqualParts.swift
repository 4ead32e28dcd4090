extension ActivationSketch {
  /// How many activations lie in each of `parts` ranges of equal width from the lower edge of the first bucket that
  /// holds something to `maximum`; those of a bucket that several ranges share are spread evenly over it. One range
  /// where there is no width.
  /// - Parameter maximum: the largest activation.
  func equalParts(_ parts: Int, upTo maximum: Float) -> [(centre: Float, count: Float)] {
    guard let extent, parts > 0 else { return [] }
    let (low, high) = (Double(Self.lowerEdge(extent.lowerBound)), Double(maximum))
    guard high > low else { return [(maximum, Float(count))] }
    let width = (high - low) / Double(parts)
    func edge(_ part: Int) -> Double { part == parts ? high : low + Double(part) * width }
    func part(of number: Double) -> Int { min(max(Int((number - low) / width), 0), parts - 1) }
    var counts = [Double](repeating: 0, count: parts)
    for bucket in extent {
      let count = Double(count(in: bucket..<bucket + 1))
      let start = min(Double(Self.lowerEdge(bucket)), high)
      let end = min(Double(Self.lowerEdge(bucket + 1)), high)
      guard count > 0 else { continue }
      guard end > start else {
        counts[parts - 1] += count
        continue
      }
      for index in part(of: start)...part(of: end) {
        counts[index] += count * max(0, min(end, edge(index + 1)) - max(start, edge(index))) / (end - start)
      }
    }
    return counts.enumerated().map { index, count in (Float((edge(index) + edge(index + 1)) / 2), Float(count)) }
  }
}
