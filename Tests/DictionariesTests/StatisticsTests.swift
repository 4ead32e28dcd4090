import Dictionaries
import Foundation
import Tensors
import TestSupport
import Testing

/// L0 and unexplained variance against their definitions.
struct StatisticsTests {
  /// Any shape with `writes` writes of `width` numbers, from a dictionary on disk.
  private func shape(writes: Int, width: Int) throws -> DictionaryShape {
    var random = SeededRandom(seed: 2)
    let folder = try TemporaryDirectory()
    let reference = ReferenceDictionary(inputs: width, outputs: width, features: 5, layers: writes, random: &random)
    let list = "model.layers.{\((0..<writes).map(String.init).joined(separator: ","))}.output"
    try reference.write(
      to: folder.url, isMultiLayer: true, config: configJSON(type: "crosscoder", reads: list, writes: list))
    return try SparseDictionary(contentsOf: folder.url, backend: NativeBackend(threads: 1)).shape
  }

  @Test(arguments: [(1, 1, 2), (1, 7, 13), (3, 5, 31)])
  func followTheDefinitions(_ sizes: (writes: Int, width: Int, tokens: Int)) throws {
    let shape = try shape(writes: sizes.writes, width: sizes.width)
    var random = SeededRandom(seed: UInt64(sizes.width))
    // A large common offset, as in the residual stream, would drown a careless variance.
    let targets = (0..<sizes.writes).map { _ in random.floats(sizes.tokens * sizes.width).map { $0 + 4096 } }
    let outputs = targets.map { $0.map { $0 + random.float() * 0.5 } }
    let codes = try (0..<sizes.writes).map { _ -> SparseCode in
      var (offsets, features) = ([0], [Int32]())
      for _ in 0..<sizes.tokens {
        features += (Int32(0)..<5).filter { _ in random.float() > 0 }
        offsets.append(features.count)
      }
      return try SparseCode(
        rowOffsets: offsets, features: features, activations: [Float](repeating: 1, count: features.count))
    }
    let code = try DictionaryCode(codes)
    // The first token stands for BOS.
    let rows = Array(1..<sizes.tokens)
    let tensors = { (all: [[Float]]) in try all.map { try Tensor($0, shape: [sizes.tokens, sizes.width]) } }
    let found = try DictionaryStatistics.measure(
      shape, code: code, targets: tensors(targets), outputs: tensors(outputs), rows: rows)

    #expect(found.tokens == rows.count)
    let active = rows.reduce(0) { sum, row in codes.reduce(sum) { $0 + $1.entries(ofRow: row).count } }
    #expect(found.l0 == Double(active) / Double(rows.count))
    var residuals: [Double] = []
    var variances: [Double] = []
    for (y, z) in zip(targets, outputs) {
      var residual = 0.0
      var variance = 0.0
      for i in 0..<sizes.width {
        let mean = rows.reduce(0.0) { $0 + Double(y[$1 * sizes.width + i]) } / Double(rows.count)
        for row in rows {
          let value = Double(y[row * sizes.width + i])
          variance += (value - mean) * (value - mean)
          residual += (value - Double(z[row * sizes.width + i])) * (value - Double(z[row * sizes.width + i]))
        }
      }
      residuals.append(residual)
      variances.append(variance)
    }
    guard rows.count > 1 else {
      #expect(found.fvu == nil && found.fvuByWrite == [nil])
      return
    }
    for write in 0..<sizes.writes {
      let fvu = try #require(found.fvuByWrite[write])
      #expect(abs(fvu / (residuals[write] / variances[write]) - 1) < 1e-9)
    }
    let total = residuals.reduce(0, +) / variances.reduce(0, +)
    #expect(abs(try #require(found.fvu) / total - 1) < 1e-9)
  }

  @Test func severalTextsAreOneSample() throws {
    let shape = try shape(writes: 1, width: 3)
    var random = SeededRandom(seed: 12)
    let y = random.floats(21)
    let z = random.floats(21)
    let code = try DictionaryCode([SparseCode(emptyRows: 7)])
    let whole = try DictionaryStatistics.measure(
      shape, code: code, targets: [Tensor(y, shape: [7, 3])], outputs: [Tensor(z, shape: [7, 3])], rows: Array(0..<7))
    var parts = DictionaryStatistics.Accumulator(shape)
    for range in [0..<2, 2..<7] {
      let slice = range.lowerBound * 3..<range.upperBound * 3
      try parts.add(
        DictionaryCode([SparseCode(emptyRows: range.count)]),
        targets: [Tensor(Array(y[slice]), shape: [range.count, 3])],
        outputs: [Tensor(Array(z[slice]), shape: [range.count, 3])], rows: Array(0..<range.count))
    }
    #expect(parts.statistics == whole)
  }

  @Test func undefinedIsNil() throws {
    let shape = try shape(writes: 1, width: 2)
    let constant = try Tensor([3.3, 7.7, 3.3, 7.7], shape: [2, 2])
    let other = try Tensor([1.0, 2, 3, 4], shape: [2, 2])
    let code = try DictionaryCode([SparseCode(emptyRows: 2)])
    let flat = try DictionaryStatistics.measure(shape, code: code, targets: [constant], outputs: [other], rows: [0, 1])
    #expect(flat.fvu == nil && flat.l0 == 0)
    let none = try DictionaryStatistics.measure(shape, code: code, targets: [other], outputs: [other], rows: [])
    #expect(none == DictionaryStatistics.Accumulator(shape).statistics)
    #expect(none.l0 == nil && none.fvu == nil)
    #expect(throws: DictionaryError.self) {
      try DictionaryStatistics.measure(shape, code: code, targets: [other], outputs: [other], rows: [2])
    }
    #expect(throws: DictionaryError.self) {
      try DictionaryStatistics.measure(shape, code: code, targets: [], outputs: [other], rows: [0])
    }
    #expect(throws: DictionaryError.self) {
      try DictionaryStatistics.measure(
        shape, code: code, targets: [other], outputs: [Tensor([1.0, 2], shape: [1, 2])], rows: [0])
    }
  }
}
