import CKernels

/// The tables under test, each once per instruction set of this machine.
enum KernelHarness {
  static var tables: [gs_kernels] {
    [GS_SCALAR, GS_AVX2, GS_AVX512, GS_NEON].compactMap { gs_kernels_for($0)?.pointee }
  }

  /// Thread counts whose results have to agree to the bit.
  static let threadCounts: [Int32] = [1, 2, 3, 5]

  /// Runs `body` with pools of 1, 2, 3 and 5 threads on every table and hands each table's results to `check`. Returns
  /// whether every pool gave the same bits.
  static func run(
    _ body: (gs_kernels, OpaquePointer) throws -> [[Float]], check: (String, [[Float]]) throws -> Void
  ) throws -> Bool {
    var same = true
    for table in tables {
      var first: [[UInt32]]?
      for threads in threadCounts {
        guard let pool = gs_pool_create(threads) else { throw HarnessError.noPool }
        defer { gs_pool_destroy(pool) }
        let results = try body(table, pool)
        let bits = results.map { $0.map(\.bitPattern) }
        if let first {
          same = same && first == bits
        } else {
          first = bits
          try check(String(cString: table.name), results)
        }
      }
    }
    return same
  }

  enum HarnessError: Error { case noPool }

  /// The largest absolute difference; infinite when the counts differ or a value is not a number.
  static func largestDifference(_ values: [Float], _ expected: [Double]) -> Double {
    guard values.count == expected.count else { return .infinity }
    var largest = 0.0
    for (value, wanted) in zip(values, expected) {
      let difference = abs(Double(value) - wanted)
      largest = difference.isNaN ? .infinity : max(largest, difference)
    }
    return largest
  }
}
