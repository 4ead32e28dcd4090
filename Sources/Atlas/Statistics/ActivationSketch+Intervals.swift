extension ActivationSketch {
  /// A range of activations from which examples are shown.
  public struct Interval: Equatable, Sendable {
    /// The buckets that belong to it.
    let buckets: Range<Int>
    /// How many activations lie in it.
    public let count: Int

    /// The smallest number that belongs to it.
    public var lower: Float { ActivationSketch.lowerEdge(buckets.lowerBound) }
    /// The smallest that does not.
    public var upper: Float { ActivationSketch.lowerEdge(buckets.upperBound) }

    func contains(_ activation: Float) -> Bool { buckets.contains(ActivationSketch.bucket(activation)) }
  }

  /// Where intervals end: behind these shares of all firings.
  public static let intervalQuantiles = [0.5, 0.75, 0.9, 0.99]

  /// The firings cut at the first edges of buckets at or above ranks 50, 75, 90 and 99 %, from the lowest on; at most
  /// five intervals, none empty, that hold every firing once.
  public var intervals: [Interval] {
    guard let extent else { return [] }
    let edges = Self.intervalQuantiles.compactMap { bucket(atQuantile: $0).map { $0 + 1 } }
    var start = extent.lowerBound
    return (edges + [extent.upperBound]).compactMap { end in
      guard end > start else { return nil }
      defer { start = end }
      let count = count(in: start..<end)
      return count > 0 ? Interval(buckets: start..<end, count: count) : nil
    }
  }
}

extension ActivationSketch {
  /// The sketch as stored: as varints (seven bits a byte, low ones first) the first bucket that counts something, then
  /// counts up to the last such; a zero is followed by how many there are.
  var encoded: [UInt8] {
    guard let extent else { return [] }
    var bytes: [UInt8] = []
    func append(_ number: Int) {
      var rest = UInt64(number)
      while rest >= 0x80 {
        bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
      }
      bytes.append(UInt8(rest))
    }
    append(extent.lowerBound)
    var zeros = 0
    for bucket in extent {
      let count = counts[bucket - first]
      if count == 0 {
        zeros += 1
        continue
      }
      if zeros > 0 {
        append(0)
        append(zeros)
        zeros = 0
      }
      append(Int(count))
    }
    return bytes
  }

  /// Reads `encoded`; nil for bytes that are none.
  init?(encoded bytes: some Sequence<UInt8>) {
    var numbers: [Int] = []
    var (number, place) = (UInt64(0), UInt64(0))
    for byte in bytes {
      guard place < 63 else { return nil }
      number |= UInt64(byte & 0x7F) << place
      place += 7
      if byte & 0x80 == 0 {
        guard number <= UInt64(UInt32.max) else { return nil }
        numbers.append(Int(number))
        (number, place) = (0, 0)
      }
    }
    guard place == 0 else { return nil }
    self.init()
    guard let first = numbers.first else { return }
    let most = Int(Float.greatestFiniteMagnitude.bitPattern >> 18) + 1
    var counts: [UInt32] = []
    var index = 1
    while index < numbers.count {
      if numbers[index] > 0 {
        counts.append(UInt32(numbers[index]))
      } else {
        index += 1
        guard index < numbers.count, numbers[index] <= most else { return nil }
        counts.append(contentsOf: repeatElement(0, count: numbers[index]))
      }
      guard first <= most, first + counts.count <= most else { return nil }
      index += 1
    }
    self.init(first: first, counts: counts)
  }
}
