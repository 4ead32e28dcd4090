import CKernels
import TestSupport
import Testing

@Suite struct GatedTests {
  @Test(arguments: StoredType.allCases) func everyFormat(type: StoredType) throws {
    var random = SeededRandom(seed: 200 + UInt64(type.rawValue))
    for (m, n, k) in [(1, 1, 1), (1, 77, 320), (3, 70, 33), (8, 5, 256), (9, 65, 100), (150, 33, 64), (20, 100, 900)] {
      try check(type, m: m, n: n, k: type.whole(k), random: &random)
    }
  }

  @Test func pastTheBlocks() throws {
    var random = SeededRandom(seed: 250)
    try check(.bf16, m: 1027, n: 130, k: 40, random: &random)
    try check(.f32, m: 270, n: 2100, k: 31, random: &random)
    try check(.f32, m: 300, n: 40, k: 1290, random: &random)
    try check(.f16, m: 290, n: 35, k: 2500, random: &random)
    try check(.f32, m: 600, n: 2, k: 16000, random: &random)
  }

  /// One input of 1 makes the weights themselves the arguments: the activation alone, to a few units in the last place.
  @Test func activation() throws {
    var values: [Float] = [0, -0.0, 1e-30, -1e-30, 1e-8, 20, 50, -20, -50, 1e30]
    for i in 0..<20_000 { values.append(Float(i) / 1000 - 6) }
    for rows in [1, 9] {
      let n = values.count
      let gate = StoredMatrix(floats: values, rows: n, cols: 1)
      let up = StoredMatrix(floats: [Float](repeating: 1, count: n), rows: n, cols: 1)
      for table in kernelTables {
        let out = try run(table, gate, up, [Float](repeating: 1, count: rows), m: rows, n: n, k: 1, threads: 2).out
        for (value, result) in zip(values, out) {
          let expected = referenceGelu(Double(value))
          // Below -6 the value is far under any sum it joins; there the absolute error counts.
          let error = abs(Double(result) - expected)
          #expect(error <= 4 * Double(Float(expected).ulp) || error < 1e-30, "\(name(table)) gelu(\(value))")
        }
      }
    }
  }

  @Test func infinitiesAndNaN() throws {
    let gate = StoredMatrix(floats: [.infinity, .nan, 1], rows: 3, cols: 1)
    let up = StoredMatrix(floats: [1, 1, .nan], rows: 3, cols: 1)
    for table in kernelTables {
      let out = try run(table, gate, up, [1], m: 1, n: 3, k: 1, threads: 1).out
      #expect(out[0] == .infinity && out[1].isNaN && out[2].isNaN, "\(name(table))")
    }
  }

  private func check(_ type: StoredType, m: Int, n: Int, k: Int, random: inout SeededRandom) throws {
    let gate = StoredMatrix(type, rows: n, cols: k, random: &random)
    let up = StoredMatrix(type, rows: n, cols: k, random: &random)
    let x = random.floats(m * (k + 1))
    let gates = referenceProduct(x, m: m, ldx: k + 1, gate, GS_ROWS_ARE_OUTPUTS, n: n, k: k)
    let ups = referenceProduct(x, m: m, ldx: k + 1, up, GS_ROWS_ARE_OUTPUTS, n: n, k: k)
    for table in kernelTables {
      let what = "\(name(table)) \(type) \(m)×\(n)×\(k)"
      let first = try run(table, gate, up, x, m: m, n: n, k: k, threads: 1)
      for threads in [2, 3, 5] {
        let other = try run(table, gate, up, x, m: m, n: n, k: k, threads: threads)
        #expect(patterns(other.out) == patterns(first.out), "threads differ: \(what)")
        #expect(patterns(other.gate) == patterns(first.gate) && patterns(other.up) == patterns(first.up), "\(what)")
      }
      let bare = try run(table, gate, up, x, m: m, n: n, k: k, threads: 2, keepsProducts: false)
      #expect(patterns(bare.out) == patterns(first.out), "\(what)")
      var worst = (gate: 0.0, up: 0.0, out: 0.0)
      for i in 0..<m * n {
        let (g, u) = (gates.values[i], ups.values[i])
        worst.gate = max(worst.gate, abs(Double(first.gate[i]) - g) / (gates.magnitudes[i] + 1e-6))
        worst.up = max(worst.up, abs(Double(first.up[i]) - u) / (ups.magnitudes[i] + 1e-6))
        let expected = referenceGelu(Double(first.gate[i])) * Double(first.up[i])
        // Where gelu itself falls below the normal floats, the error is absolute.
        let size = abs(expected) + 1e-30 * (1 + abs(Double(first.up[i])))
        worst.out = max(worst.out, abs(Double(first.out[i]) - expected) / size)
      }
      #expect(worst.gate < GemmTests.tolerance && worst.up < GemmTests.tolerance, "\(what)")
      #expect(worst.out < 6e-7, "\(what)")
    }
  }

  private func run(
    _ table: UnsafePointer<gs_kernels>, _ gate: StoredMatrix, _ up: StoredMatrix, _ x: [Float], m: Int, n: Int, k: Int,
    threads: Int, keepsProducts: Bool = true
  ) throws -> (out: [Float], gate: [Float], up: [Float]) {
    let pool = try TestPool(threads)
    var out = [Float](repeating: 5, count: m * n)
    var gates = out
    var ups = out
    let status = gate.withMatrix { gate in
      up.withMatrix { up in
        x.withUnsafeBufferPointer { x in
          out.withUnsafeMutableBufferPointer { out in
            gates.withUnsafeMutableBufferPointer { gates in
              ups.withUnsafeMutableBufferPointer { ups in
                var gated = gs_gated(
                  m: Int64(m), n: Int64(n), k: Int64(k), a: x.baseAddress, lda: Int64(x.count / m), gate: gate, up: up,
                  out: out.baseAddress, ldo: Int64(n), gate_out: keepsProducts ? gates.baseAddress : nil,
                  up_out: keepsProducts ? ups.baseAddress : nil)
                return table.pointee.gated(pool.handle, &gated)
              }
            }
          }
        }
      }
    }
    #expect(status == GS_OK.asInt32)
    return (out, gates, ups)
  }
}
