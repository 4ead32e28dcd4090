import CKernels
import TestSupport
import Testing

/// Widened weights equal the definition of their format bit for bit.
@Suite struct DequantiseTests {
  @Test(arguments: StoredType.allCases) func everyFormat(type: StoredType) throws {
    var random = SeededRandom(seed: 20 + UInt64(type.rawValue))
    let pool = try TestPool(1)
    for cols in [1, 31, 33, 255, 257, 1536].map(type.whole) {
      let w = StoredMatrix(type, rows: 5, cols: cols, padding: cols % 3, random: &random)
      for table in kernelTables {
        #expect(
          patterns(widened(w, table, pool)) == patterns(w.weights), "\(name(table)) \(type) \(cols) columns")
      }
    }
  }

  /// Among them subnormals and infinities, and scales too small to be ordinary.
  @Test func everyHalf() throws {
    let pool = try TestPool(1)
    let bytes = (0..<65536).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    let w = StoredMatrix(.f16, rows: 1, cols: 65536, rowBytes: 131_072, bytes: bytes)
    for table in kernelTables {
      let out = widened(w, table, pool)
      #expect(
        zip(out, w.weights).allSatisfy { $0.bitPattern == $1.bitPattern || ($0.isNaN && $1.isNaN) }, "\(name(table))")
    }
  }

  @Test(arguments: StoredType.allCases.filter { !$0.halves.isEmpty }) func everyScale(type: StoredType) throws {
    var random = SeededRandom(seed: 30 + UInt64(type.rawValue))
    let pool = try TestPool(1)
    let blocks = 512
    var bytes = (0..<blocks * type.blockBytes).map { _ in UInt8(truncatingIfNeeded: random.next() >> 32) }
    for block in 0..<blocks {
      for offset in type.halves {
        // Any finite half.
        let pattern = UInt16(truncatingIfNeeded: random.next()) & 0xfbff
        bytes[block * type.blockBytes + offset] = UInt8(pattern & 255)
        bytes[block * type.blockBytes + offset + 1] = UInt8(pattern >> 8)
      }
    }
    let cols = blocks * type.blockSize
    let w = StoredMatrix(type, rows: 1, cols: cols, rowBytes: bytes.count, bytes: bytes)
    for table in kernelTables {
      #expect(patterns(widened(w, table, pool)) == patterns(w.weights), "\(name(table)) \(type)")
    }
  }

  private func widened(_ w: StoredMatrix, _ table: UnsafePointer<gs_kernels>, _ pool: TestPool) -> [Float] {
    var out = [Float](repeating: 0, count: w.rows * w.cols)
    w.withMatrix { matrix in
      var matrix = matrix
      let ids = (0..<Int32(w.rows)).map { $0 }
      table.pointee.gather_rows(pool.handle, &matrix, ids, Int64(w.rows), 1, &out, Int64(w.cols))
    }
    return out
  }
}
