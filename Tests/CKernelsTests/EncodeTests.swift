import CKernels
import TestSupport
import Testing

@Suite struct EncodeTests {
  /// One encoder and its inputs.
  struct Case {
    var m, d, width: Int
    var layout: gs_layout
    var w: StoredMatrix
    var x: [Float]
    var bias: [Float]?
    var threshold: [Float]?
  }

  struct Code: Equatable {
    var offsets: [Int64]
    var features: [Int32]
    var activations: [UInt32]
  }

  /// Small whole numbers make every sum exact: the code must be the reference's, thresholds met exactly among it.
  @Test(arguments: [
    (1, 5, 300), (3, 64, 131), (8, 33, 4100), (9, 40, 129), (150, 17, 260), (30, 700, 128), (1040, 6, 40), (2, 1, 1),
    (270, 2100, 40), (600, 16000, 3),
  ])
  func exactSums(m: Int, d: Int, width: Int) throws {
    var random = SeededRandom(seed: UInt64(m * width + d))
    for layout in [GS_ROWS_ARE_INPUTS, GS_ROWS_ARE_OUTPUTS] {
      for (hasBias, hasThreshold) in [(true, true), (false, true), (true, false)] {
        let small = { (random: inout SeededRandom) in Float(random.int(-2...2)) }
        let weights = (0..<d * width).map { _ in small(&random) }
        let test = Case(
          m: m, d: d, width: width, layout: layout,
          w: layout == GS_ROWS_ARE_INPUTS
            ? StoredMatrix(floats: weights, rows: d, cols: width) : StoredMatrix(floats: weights, rows: width, cols: d),
          x: (0..<m * d).map { _ in small(&random) },
          bias: hasBias ? (0..<width).map { _ in small(&random) } : nil,
          threshold: hasThreshold ? (0..<width).map { _ in Float(random.int(-2...9)) } : nil)
        let expected = reference(test)
        for table in kernelTables {
          for threads in [1, 2, 3, 5] {
            #expect(try encode(test, table, threads: threads) == expected, "\(name(table)) \(m)×\(d)×\(width)")
          }
        }
      }
    }
  }

  @Test(arguments: StoredType.allCases) func everyFormat(type: StoredType) throws {
    var random = SeededRandom(seed: 300 + UInt64(type.rawValue))
    for m in [1, 5, 40] {
      for layout in [GS_ROWS_ARE_INPUTS, GS_ROWS_ARE_OUTPUTS] {
        let d = layout == GS_ROWS_ARE_INPUTS ? 100 : type.whole(100)
        let width = layout == GS_ROWS_ARE_INPUTS ? type.whole(300) : 300
        let w = StoredMatrix(
          type, rows: layout == GS_ROWS_ARE_INPUTS ? d : width, cols: layout == GS_ROWS_ARE_INPUTS ? width : d,
          random: &random)
        let x = random.floats(m * d)
        let product = referenceProduct(x, m: m, ldx: d, w, layout, n: width, k: d)
        let scale = Float(product.magnitudes.max() ?? 1)
        let bias = random.floats(width, scale: scale / 50)
        let threshold = random.floats(width, scale: scale / 20).map(abs)
        let test = Case(
          m: m, d: d, width: width, layout: layout, w: w, x: x, bias: bias, threshold: threshold)
        for table in kernelTables {
          let code = try encode(test, table, threads: 1)
          for threads in [2, 5] { #expect(try encode(test, table, threads: threads) == code) }
          for row in 0..<m {
            let entries = Int(code.offsets[row])..<Int(code.offsets[row + 1])
            let kept = Dictionary(
              uniqueKeysWithValues: entries.map { (Int(code.features[$0]), Float(bitPattern: code.activations[$0])) })
            for j in 0..<width {
              let z = product.values[row * width + j] + Double(bias[j])
              let slack = 2e-6 * (product.magnitudes[row * width + j] + abs(Double(bias[j])))
              let margin = z - Double(threshold[j])
              if let value = kept[j] {
                #expect(abs(Double(value) - z) <= slack && margin > -slack && z > -slack)
              } else {
                #expect(margin <= slack || z <= slack, "\(name(table)) \(type) lost feature \(j)")
              }
            }
          }
        }
      }
    }
  }

  /// Rows with NaN keep nothing, and neither do thresholds that are NaN; infinities pass.
  @Test(arguments: [3, 12]) func notNumbers(m: Int) throws {
    var x = [Float](repeating: 1, count: m * 2)
    x[2] = .nan
    x[4] = .infinity
    let w = StoredMatrix(floats: [1, 1, 1, 1, 1, 1], rows: 2, cols: 3)
    let test = Case(
      m: m, d: 2, width: 3, layout: GS_ROWS_ARE_INPUTS, w: w, x: x, bias: nil, threshold: [1, .nan, 2])
    for table in kernelTables {
      let code = try encode(test, table, threads: 2)
      #expect(code.offsets.prefix(4) == [0, 1, 1, 3], "\(name(table))")
      #expect(code.features.prefix(3) == [0, 0, 2])
      #expect(code.activations.prefix(3) == [Float(2).bitPattern, Float.infinity.bitPattern, Float.infinity.bitPattern])
    }
  }

  @Test func noRows() throws {
    let test = Case(
      m: 0, d: 2, width: 3, layout: GS_ROWS_ARE_INPUTS, w: StoredMatrix(floats: [1, 1, 1, 1, 1, 1], rows: 2, cols: 3),
      x: [], bias: nil, threshold: nil)
    for table in kernelTables {
      #expect(try encode(test, table, threads: 2) == Code(offsets: [0], features: [], activations: []))
    }
  }

  private func reference(_ test: Case) -> Code {
    let product = referenceProduct(
      test.x, m: test.m, ldx: test.d, test.w, test.layout, n: test.width, k: test.d)
    var code = Code(offsets: [0], features: [], activations: [])
    for row in 0..<test.m {
      for j in 0..<test.width {
        let z = Float(product.values[row * test.width + j]) + (test.bias?[j] ?? 0)
        guard z > 0, z > test.threshold?[j] ?? 0 else { continue }
        code.features.append(Int32(j))
        code.activations.append(z.bitPattern)
      }
      code.offsets.append(Int64(code.features.count))
    }
    return code
  }

  private func encode(_ test: Case, _ table: UnsafePointer<gs_kernels>, threads: Int) throws -> Code {
    let pool = try TestPool(threads)
    var out = gs_sparse()
    let status = test.w.withMatrix { matrix in
      test.x.withUnsafeBufferPointer { x in
        (test.bias ?? []).withUnsafeBufferPointer { bias in
          (test.threshold ?? []).withUnsafeBufferPointer { threshold in
            var job = gs_encode(
              m: Int64(test.m), d: Int64(test.d), width: Int64(test.width), x: x.baseAddress, ldx: Int64(test.d),
              w: matrix, layout: test.layout, bias: test.bias == nil ? nil : bias.baseAddress,
              threshold: test.threshold == nil ? nil : threshold.baseAddress)
            return table.pointee.encode(pool.handle, &job, &out)
          }
        }
      }
    }
    defer { gs_sparse_free(&out) }
    try #require(status == GS_OK.asInt32)
    #expect(out.rows == Int64(test.m))
    let offsets = Array(UnsafeBufferPointer(start: out.row_offsets, count: test.m + 1))
    let count = Int(offsets[test.m])
    return Code(
      offsets: offsets, features: Array(UnsafeBufferPointer(start: out.features, count: count)),
      activations: patterns(Array(UnsafeBufferPointer(start: out.activations, count: count))))
  }
}
