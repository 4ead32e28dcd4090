import Tensors

/// Finds the n-th largest of many positive numbers, spread over ranks, by two histograms of their bits: positive floats
/// order as their bit patterns do. Counts travel as fp32, exact up to 2²⁴ of one pattern's upper half.
struct RadixSelect {
  let reducer: any StepReducer

  init(_ reducer: any StepReducer) { self.reducer = reducer }

  /// The `count`-th largest value and how many values there are on all ranks; the cut is 0 when there are fewer than
  /// `count`. Values equal to the cut all belong to the selection.
  func cut(_ codes: [PairCode], count: Int) throws -> (cut: Float, total: Int) {
    let upper = try histogram(codes, bins: 1 << 15) { Int($0 >> 16) }
    let total = upper.reduce(0, +)
    guard count > 0, total >= count else { return (0, total) }
    let (high, above) = Self.bin(upper, count)
    let lower = try histogram(codes, bins: 1 << 16) { $0 >> 16 == UInt32(high) ? Int($0 & 0xFFFF) : nil }
    let (low, _) = Self.bin(lower, count - above)
    return (Float(bitPattern: UInt32(high) << 16 | UInt32(low)), total)
  }

  /// The bin that holds the `count`-th from above, and how many lie above it.
  private static func bin(_ histogram: [Int], _ count: Int) -> (bin: Int, above: Int) {
    var above = 0
    for bin in histogram.indices.reversed() {
      if above + histogram[bin] >= count { return (bin, above) }
      above += histogram[bin]
    }
    return (0, above)
  }

  private func histogram(_ codes: [PairCode], bins: Int, _ bin: (UInt32) -> Int?) throws -> [Int] {
    var counts = [Int](repeating: 0, count: bins)
    for code in codes {
      for value in UnsafeBufferPointer(start: code.values, count: code.count) {
        if let bin = bin(value.bitPattern) { counts[bin] += 1 }
      }
    }
    var shared = counts.map(Float.init)
    try shared.withUnsafeMutableBufferPointer { try reducer.sum($0) }
    return shared.map { Int($0) }
  }
}

/// Finds the k-th largest value of every token over several sources and ranks.
struct TokenSelect {
  let reducer: any StepReducer

  init(_ reducer: any StepReducer) { self.reducer = reducer }

  /// For each of `rows` rows the k-th largest value; where there are fewer, the smallest positive number, which all pass.
  func cuts(_ codes: [PairCode], rows: Int, k: Int) throws -> [Float] {
    var largest = [Float](repeating: 0, count: rows * k)
    var values: [Float] = []
    for row in 0..<rows {
      values.removeAll(keepingCapacity: true)
      for code in codes {
        values += UnsafeBufferPointer(
          start: code.values + Int(code.rowOffsets[row]), count: code.entryCount(row))
      }
      let kept = Self.moveLargest(&values, k)
      for i in 0..<kept { largest[row * k + i] = values[i] }
    }
    let all = try largest.withUnsafeBufferPointer { try reducer.gather($0) }
    let ranks = all.count / max(largest.count, 1)
    return (0..<rows).map { row in
      values.removeAll(keepingCapacity: true)
      for rank in 0..<ranks { values += all[(rank * rows + row) * k..<(rank * rows + row + 1) * k] }
      Self.moveLargest(&values, k)
      return values.prefix(k).min().map { max($0, .leastNonzeroMagnitude) } ?? .leastNonzeroMagnitude
    }
  }

  /// Brings the `k` largest to the front, in no order; returns how many there are.
  @discardableResult static func moveLargest(_ values: inout [Float], _ k: Int) -> Int {
    guard values.count > k, k > 0 else { return min(values.count, k) }
    values.withUnsafeMutableBufferPointer { values in
      var (low, high) = (0, values.count - 1)
      while low < high {
        let pivot = values[low + (high - low) / 2]
        var (i, j) = (low, high)
        while i <= j {
          while values[i] > pivot { i += 1 }
          while values[j] < pivot { j -= 1 }
          if i <= j {
            values.swapAt(i, j)
            i += 1
            j -= 1
          }
        }
        if k - 1 <= j { high = j } else if k - 1 >= i { low = i } else { return }
      }
    }
    return k
  }
}
