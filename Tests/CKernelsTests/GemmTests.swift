import CKernels
import TestSupport
import Testing

/// Products with stored matrices against double precision; few rows and many rows take different paths.
@Suite struct GemmTests {
  /// The error allowed per unit of Σ |x · w|: rounding grows with the length of the sum, less than linearly.
  static let tolerance = 2e-6

  @Test(arguments: StoredType.allCases, [GS_ROWS_ARE_OUTPUTS.rawValue, GS_ROWS_ARE_INPUTS.rawValue])
  func everyFormat(type: StoredType, layout: UInt32) throws {
    var random = SeededRandom(seed: 100 + UInt64(type.rawValue) * 2 + UInt64(layout))
    for m in [1, 2, 3, 4, 5, 8, 9, 31] {
      let (n, k) = (random.int(1...90), random.int(1...400))
      try check(type, gs_layout(rawValue: layout), m: m, n: n, k: k, random: &random)
    }
    try check(type, gs_layout(rawValue: layout), m: 1, n: 1, k: 1, random: &random)
    try check(type, gs_layout(rawValue: layout), m: 17, n: 1, k: 1, random: &random)
  }

  /// Past every block: stretches of k, strips of columns, blocks of rows, rounds of packed rows.
  @Test(arguments: [
    (2, 131, 1301), (1, 1030, 67), (15, 4200, 33), (1031, 37, 70), (127, 64, 1283), (20, 70, 4133), (600, 2, 16000),
  ])
  func pastTheBlocks(m: Int, n: Int, k: Int) throws {
    var random = SeededRandom(seed: UInt64(m * n + k))
    for type in [StoredType.f32, .bf16, .q8_0] {
      for layout in [GS_ROWS_ARE_OUTPUTS, GS_ROWS_ARE_INPUTS] {
        try check(type, layout, m: m, n: n, k: k, threads: [1, 2, 5], random: &random)
      }
    }
  }

  @Test func noInputs() throws {
    let pool = try TestPool(2)
    for table in kernelTables {
      for accumulate: Int32 in [0, 1] {
        var c: [Float] = [1, 2, 3, 4, 5, 6]
        let bias: [Float] = [10, 20, 30]
        let w = StoredMatrix(floats: [], rows: 3, cols: 0)
        w.withMatrix { matrix in
          c.withUnsafeMutableBufferPointer { c in
            bias.withUnsafeBufferPointer { bias in
              var gemm = gs_gemm(
                m: 2, n: 3, k: 0, a: bias.baseAddress, lda: 0, b: matrix, layout: GS_ROWS_ARE_OUTPUTS,
                c: c.baseAddress, ldc: 3, bias: bias.baseAddress, accumulate: accumulate)
              #expect(table.pointee.gemm(pool.handle, &gemm) == GS_OK.asInt32)
            }
          }
        }
        #expect(c == (accumulate == 1 ? [11, 22, 33, 14, 25, 36] : [10, 20, 30, 10, 20, 30]))
      }
    }
  }

  /// One case: every table, several numbers of threads, with and without bias and accumulation.
  private func check(
    _ type: StoredType, _ layout: gs_layout, m: Int, n: Int, k: Int, threads: [Int] = [1, 2, 3, 5],
    random: inout SeededRandom
  ) throws {
    let outputs = layout == GS_ROWS_ARE_OUTPUTS
    let (n, k) = outputs ? (n, type.whole(k)) : (type.whole(n), k)
    let w = StoredMatrix(type, rows: outputs ? n : k, cols: outputs ? k : n, random: &random)
    let (ldx, ldc) = (k + 3, n + 2)
    let x = random.floats(m * ldx)
    let before = random.floats(m * ldc)
    let bias = random.floats(n)
    let reference = referenceProduct(x, m: m, ldx: ldx, w, layout, n: n, k: k)
    let (hasBias, accumulates) = (random.int(0...1) == 1, random.int(0...1) == 1)
    let pools = try threads.map { try TestPool($0) }
    for table in kernelTables {
      let results = w.withMatrix { matrix in
        pools.map { pool in
          var c = before
          let status = c.withUnsafeMutableBufferPointer { c in
            x.withUnsafeBufferPointer { x in
              bias.withUnsafeBufferPointer { bias in
                var gemm = gs_gemm(
                  m: Int64(m), n: Int64(n), k: Int64(k), a: x.baseAddress, lda: Int64(ldx), b: matrix, layout: layout,
                  c: c.baseAddress, ldc: Int64(ldc), bias: hasBias ? bias.baseAddress : nil,
                  accumulate: accumulates ? 1 : 0)
                return table.pointee.gemm(pool.handle, &gemm)
              }
            }
          }
          #expect(status == GS_OK.asInt32)
          return c
        }
      }
      let what = "\(name(table)) \(type) layout \(layout.rawValue) \(m)×\(n)×\(k)"
      for other in results.dropFirst() { #expect(patterns(other) == patterns(results[0]), "threads differ: \(what)") }
      var worst = 0.0
      for i in 0..<m {
        for j in 0..<n {
          var expected = reference.values[i * n + j]
          var magnitude = reference.magnitudes[i * n + j] + 1e-6
          if hasBias { (expected, magnitude) = (expected + Double(bias[j]), magnitude + abs(Double(bias[j]))) }
          if accumulates {
            let old = Double(before[i * ldc + j])
            (expected, magnitude) = (expected + old, magnitude + abs(old))
          }
          worst = max(worst, abs(Double(results[0][i * ldc + j]) - expected) / magnitude)
        }
        for j in n..<ldc { #expect(results[0][i * ldc + j] == before[i * ldc + j], "\(what) wrote past a row") }
      }
      #expect(worst < Self.tolerance, "\(what)")
    }
  }
}

extension UInt32 {
  /// Constants of an anonymous C enumeration as functions return them.
  var asInt32: Int32 { Int32(bitPattern: self) }
}
extension Int {
  var asInt32: Int32 { Int32(truncatingIfNeeded: self) }
}
