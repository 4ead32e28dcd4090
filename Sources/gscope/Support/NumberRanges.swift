import ArgumentParser

/// `1,5-9`: whole numbers from 0 and ranges of them.
struct NumberRanges: ExpressibleByArgument, Equatable {
  /// In the order in which they were given.
  let ranges: [ClosedRange<Int>]

  init?(argument: String) {
    var ranges: [ClosedRange<Int>] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false)
      let numbers = ends.compactMap { Int($0) }.filter { $0 >= 0 }
      guard 1...2 ~= ends.count, numbers.count == ends.count, let low = numbers.first, let high = numbers.last,
        low <= high
      else { return nil }
      ranges.append(low...high)
    }
    self.ranges = ranges
  }

  /// The numbers, ascending and each once, of which all are below `limit`; else the first range that goes beyond.
  func numbers(below limit: Int) -> Result<[Int], OutOfRange> {
    if let bad = ranges.first(where: { $0.upperBound >= limit }) { return .failure(OutOfRange(range: bad)) }
    return .success(Set(ranges.flatMap { Array($0) }).sorted())
  }

  struct OutOfRange: Error { let range: ClosedRange<Int> }
}
