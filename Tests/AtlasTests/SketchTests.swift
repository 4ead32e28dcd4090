import Atlas
import TestSupport
import Testing

/// The sketch against the sorted numbers themselves.
@Suite struct SketchTests {
  /// Positive numbers over several octaves, some of them equal, some on the edges of buckets.
  private func numbers(_ count: Int, _ random: inout SeededRandom) -> [Float] {
    (0..<count).map { _ in
      switch random.int(0...4) {
      case 0: return Float(1 << random.int(0...9))
      case 1: return Float(sign: .plus, exponent: random.int(-20...20), significand: 1 + Float(random.int(0...31)) / 32)
      default: return Float(sign: .plus, exponent: random.int(-6...10), significand: 1 + abs(random.float()) * 0.999)
      }
    }
  }

  private func sketch(_ numbers: some Sequence<Float>) -> ActivationSketch {
    var sketch = ActivationSketch()
    for number in numbers { sketch.add(number) }
    return sketch
  }

  @Test(arguments: [1, 2, 7, 31, 1000, 4999]) func quantilesAreWithinASixtyFourth(count: Int) throws {
    var random = SeededRandom(seed: UInt64(count))
    let numbers = numbers(count, &random)
    let sorted = numbers.sorted()
    let sketch = sketch(numbers)
    #expect(sketch.count == count)
    for q in [0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1] {
      let exact = sorted[max(Int((q * Double(count)).rounded(.up)), 1) - 1]
      let found = try #require(sketch.quantile(q))
      #expect(abs(found - exact) <= exact / 64, "\(q): \(found) for \(exact)")
    }
    for _ in 0..<50 {
      let limit = sorted[random.int(0...count - 1)]
      let exact = sorted.count { $0 >= limit }
      #expect(sketch.countAtLeast(limit).contains(exact))
      let edge = Float(bitPattern: (limit.bitPattern >> 18) << 18)
      #expect(sketch.countAtLeast(edge) == sorted.count { $0 >= edge }...sorted.count { $0 >= edge })
    }
    #expect(sketch.countAtLeast(0) == count...count && sketch.countAtLeast(-1) == count...count)
  }

  @Test(arguments: 1...12) func orderAndPartsDoNotMatter(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    let numbers = numbers(random.int(1...400), &random)
    let whole = sketch(numbers)
    #expect(sketch(numbers.shuffled(using: &random)) == whole)
    let cut = random.int(0...numbers.count)
    var merged = sketch(numbers[..<cut])
    merged.merge(sketch(numbers[cut...]))
    #expect(merged == whole)
    var added = sketch(numbers[cut...])
    added.merge(sketch(numbers[..<cut]))
    #expect(added == whole)
  }

  @Test(arguments: 1...12) func barsAndIntervalsHoldEveryNumberOnce(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed) + 100)
    let numbers = numbers(seed == 1 ? 1 : random.int(1...700), &random)
    let sketch = sketch(numbers)
    let bars = sketch.histogram
    for bar in bars { #expect(bar.count == numbers.count { $0 >= bar.lower && $0 < bar.upper }) }
    #expect(bars.reduce(0) { $0 + $1.count } == numbers.count)
    #expect(zip(bars, bars.dropFirst()).allSatisfy { $0.upper == $1.lower })
    let intervals = sketch.intervals
    #expect(1...5 ~= intervals.count && intervals.allSatisfy { $0.count > 0 && $0.lower < $0.upper })
    for interval in intervals {
      #expect(interval.count == numbers.count { $0 >= interval.lower && $0 < interval.upper })
    }
    #expect(intervals.reduce(0) { $0 + $1.count } == numbers.count)
    // The first ends at the first edge above the median.
    let median = numbers.sorted()[(numbers.count + 1) / 2 - 1]
    #expect(intervals.contains { $0.upper == Float(bitPattern: ((median.bitPattern >> 18) + 1) << 18) })
  }

  @Test func nothingHasNoQuantiles() {
    var empty = ActivationSketch()
    for number in [0, -1, .nan, .infinity, -Float.infinity] { empty.add(number) }
    #expect(empty == ActivationSketch())
    #expect(empty.quantile(0.5) == nil && empty.count == 0 && empty.histogram.isEmpty && empty.intervals.isEmpty)
  }

  @Test func extremesHaveBuckets() throws {
    for number in [Float.leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude] {
      let sketch = sketch([number, number])
      #expect(sketch.countAtLeast(number).upperBound == 2)
      #expect(try #require(sketch.quantile(0.5)).isFinite)
      #expect(sketch.intervals.count == 1)
    }
  }
}
