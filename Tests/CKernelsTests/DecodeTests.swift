import CKernels
import TestSupport
import Testing

@Suite struct DecodeTests {
  @Test(arguments: StoredType.allCases) func everyFormat(type: StoredType) throws {
    var random = SeededRandom(seed: 400 + UInt64(type.rawValue))
    for (rows, d) in [(1, 1), (1, 600), (7, 37), (40, 1300)] {
      for (hasBias, accumulates) in [(false, false), (true, false), (false, true), (true, true)] {
        try check(type, rows: rows, d: type.whole(d), hasBias: hasBias, accumulates: accumulates, random: &random)
      }
    }
  }

  private func check(
    _ type: StoredType, rows: Int, d: Int, hasBias: Bool, accumulates: Bool, random: inout SeededRandom
  ) throws {
    let width = 50
    let w = StoredMatrix(type, rows: width, cols: d, padding: 4, random: &random)
    var offsets: [Int64] = [0]
    var features: [Int32] = []
    for row in 0..<rows {
      // Some rows are empty; counts pass the group of rows that are added at once.
      let count = row % 4 == 3 ? 0 : random.int(0...9)
      features += (0..<width).shuffled(using: &random).prefix(count).sorted().map(Int32.init)
      offsets.append(Int64(features.count))
    }
    let activations = random.floats(features.count, scale: 3)
    let bias = random.floats(d)
    let before = random.floats(rows * (d + 1))
    for table in kernelTables {
      let results = try [1, 2, 3, 5].map { threads in
        let pool = try TestPool(threads)
        var y = before
        w.withMatrix { matrix in
          y.withUnsafeMutableBufferPointer { y in
            bias.withUnsafeBufferPointer { bias in
              offsets.withUnsafeBufferPointer { offsets in
                features.withUnsafeBufferPointer { features in
                  activations.withUnsafeBufferPointer { activations in
                    var job = gs_decode(
                      rows: Int64(rows), d: Int64(d), row_offsets: offsets.baseAddress,
                      features: features.baseAddress, activations: activations.baseAddress, w: matrix,
                      bias: hasBias ? bias.baseAddress : nil, y: y.baseAddress, ldy: Int64(d + 1),
                      accumulate: accumulates ? 1 : 0)
                    table.pointee.decode(pool.handle, &job)
                  }
                }
              }
            }
          }
        }
        return y
      }
      let what = "\(name(table)) \(type) \(rows)×\(d) bias \(hasBias) accumulate \(accumulates)"
      for other in results.dropFirst() { #expect(patterns(other) == patterns(results[0]), "threads differ: \(what)") }
      var worst = 0.0
      for row in 0..<rows {
        for j in 0..<d {
          var sum = (hasBias ? Double(bias[j]) : 0) + (accumulates ? Double(before[row * (d + 1) + j]) : 0)
          var size = abs(sum) + 1e-6
          for e in Int(offsets[row])..<Int(offsets[row + 1]) {
            let term = Double(activations[e]) * Double(w.weights[Int(features[e]) * d + j])
            sum += term
            size += abs(term)
          }
          worst = max(worst, abs(Double(results[0][row * (d + 1) + j]) - sum) / size)
        }
        #expect(results[0][row * (d + 1) + d] == before[row * (d + 1) + d], "\(what) wrote past a row")
      }
      #expect(worst < 1e-6, "\(what)")
    }
  }
}
