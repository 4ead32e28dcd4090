import CKernels
import TestSupport
import Testing

@Suite struct GatherTests {
  @Test(arguments: StoredType.allCases) func rowsByNumber(type: StoredType) throws {
    var random = SeededRandom(seed: 40 + UInt64(type.rawValue))
    for cols in [1, 37, 300, 1024].map(type.whole) {
      let w = StoredMatrix(type, rows: 23, cols: cols, padding: 2, random: &random)
      for count in [0, 1, 8, 9, 41] {
        let ids = (0..<count).map { _ in Int32(random.int(0...22)) }
        for scale: Float in [1, 0.37] {
          // One float between rows must stay as it is.
          var expected: [Float] = []
          for id in ids.map(Int.init) { expected += w.weights[id * cols..<(id + 1) * cols].map { $0 * scale } + [7] }
          for table in kernelTables {
            for threads in [1, 3] {
              let pool = try TestPool(threads)
              var out = [Float](repeating: 7, count: count * (cols + 1))
              w.withMatrix { matrix in
                var matrix = matrix
                table.pointee.gather_rows(pool.handle, &matrix, ids, Int64(count), scale, &out, Int64(cols + 1))
              }
              #expect(patterns(out) == patterns(expected), "\(name(table)) \(type) \(cols) columns, \(count) rows")
            }
          }
        }
      }
    }
  }
}
