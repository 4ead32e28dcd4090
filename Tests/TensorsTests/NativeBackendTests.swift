import Foundation
import Tensors
import TestSupport
import Testing

/// The backend's Swift surface against slow references; the kernels' own tests cover shapes and formats in depth.
@Suite struct NativeBackendTests {
  private let backend: NativeBackend
  init() throws { backend = try NativeBackend(threads: 2) }

  private func product(_ x: [Float], _ w: [Float], n: Int, k: Int, m: Int) -> [Float] {
    (0..<n * m).map { i in
      Float((0..<k).reduce(0.0) { $0 + Double(x[i / m * k + $1]) * Double(w[i % m * k + $1]) })
    }
  }

  @Test(arguments: [(1, 1, 1), (1, 37, 64), (5, 17, 3), (64, 33, 129)])
  func linearAndMatmul(n: Int, k: Int, m: Int) throws {
    var random = SeededRandom(seed: UInt64(n * 1000 + k))
    let (x, w) = (random.floats(n * k), random.floats(m * k))
    let expected = product(x, w, n: n, k: k, m: m)
    let input = try Tensor(x, shape: [n, k])
    expectClose(
      try backend.linear(input, Tensor(w, shape: [m, k])).read(), expected, rowLength: m, tolerance: 1e-5, "linear")
    let transposed = (0..<k * m).map { w[$0 % m * k + $0 / m] }
    expectClose(
      try backend.matmul(input, Tensor(transposed, shape: [k, m])).read(), expected, rowLength: m, tolerance: 1e-5,
      "matmul")
  }

  @Test func gatherSelectReplaceAndConcatenate() throws {
    let table = try Tensor((0..<12).map(Float.init), shape: [4, 3])
    #expect(try backend.gather(table, rows: [3, 0], scale: 2).read() == [18, 20, 22, 0, 2, 4])
    #expect(try backend.select(table, rows: [1, 1]).read() == [3, 4, 5, 3, 4, 5])
    let replaced = try backend.replacing(table, rows: [2], with: Tensor([-1, -2, -3], shape: [1, 3]))
    #expect(try replaced.read() == [0, 1, 2, 3, 4, 5, -1, -2, -3, 9, 10, 11])
    #expect(try backend.concatenate([table, replaced.rows(2..<3)]).shape == [5, 3])
    #expect(try backend.add(table, table, scale: -1).read().allSatisfy { $0 == 0 })
    #expect(throws: TensorError.self) { try backend.gather(table, rows: [4], scale: 1) }
    #expect(throws: TensorError.self) { try backend.gather(table, rows: [-1], scale: 1) }
    #expect(throws: TensorError.self) { try backend.select(table, rows: [4]) }
    #expect(throws: TensorError.self) { try backend.replacing(table, rows: [0], with: table) }
    #expect(throws: TensorError.self) { try backend.concatenate([]) }
    #expect(throws: TensorError.self) { try backend.add(table, replaced.rows(0..<1), scale: 1) }
    #expect(throws: TensorError.self) { try backend.linear(table, Tensor([1], shape: [1, 1])) }
  }

  @Test func emptyInputGivesEmptyOutput() throws {
    let none = try Tensor([Float](), shape: [0, 3])
    let weight = try Tensor((0..<6).map(Float.init), shape: [2, 3])
    #expect(try backend.linear(none, weight).shape == [0, 2])
    #expect(try backend.gather(weight, rows: [], scale: 1).shape == [0, 3])
    #expect(try backend.logSumExp(none) == [])
    let code = try backend.encode(
      none, weight: Tensor((0..<6).map(Float.init), shape: [3, 2]), bias: Tensor([0, 0], shape: [2]),
      threshold: Tensor([0, 0], shape: [2]))
    #expect(code.rows == 0)
  }

  @Test func normsEqualTheirFormula() throws {
    var random = SeededRandom(seed: 5)
    let (x, gain, residual) = (random.floats(6 * 10), random.floats(10), random.floats(60))
    let output = try backend.rmsNorm(
      Tensor(x, shape: [6, 10]), gain: Tensor(gain, shape: [10]), epsilon: 1e-6,
      residual: Tensor(residual, shape: [6, 10]))
    let expected = (0..<60).map { i -> Float in
      let row = x[i / 10 * 10..<i / 10 * 10 + 10]
      let mean = row.reduce(0.0) { $0 + Double($1) * Double($1) } / 10
      return Float(Double(x[i]) * Double(gain[i % 10]) / (mean + 1e-6).squareRoot()) + residual[i]
    }
    expectClose(try output.read(), expected, rowLength: 10, tolerance: 1e-6, "norm")
    // Groups: a row of two heads is normed head by head.
    let grouped = try backend.rmsNorm(
      Tensor(x, shape: [3, 20]), gain: Tensor(gain, shape: [10]), epsilon: 1e-6, residual: nil)
    #expect(grouped.shape == [3, 20])
    expectClose(
      try grouped.read(), zip(expected, residual).map { $0 - $1 }, rowLength: 10, tolerance: 1e-5, "grouped norm")
  }

  @Test func encodeAndDecodeASlice() throws {
    var random = SeededRandom(seed: 9)
    let (n, d, width) = (7, 5, 19)
    let (x, w, bias) = (random.floats(n * d), random.floats(d * width), random.floats(width, scale: 0.2))
    let threshold = random.floats(width, scale: 0.3).map(abs)
    let code = try backend.encode(
      Tensor(x, shape: [n, d]), weight: Tensor(w, shape: [d, width]), bias: Tensor(bias, shape: [width]),
      threshold: Tensor(threshold, shape: [width]))
    for row in 0..<n {
      for feature in 0..<width {
        let z = (0..<d).reduce(Double(bias[feature])) { $0 + Double(x[row * d + $1]) * Double(w[$1 * width + feature]) }
        let expected = z > Double(threshold[feature]) ? Float(z) : 0
        #expect(abs(code.activation(ofFeature: feature, inRow: row) - expected) < 1e-5)
      }
    }
    // Decoder rows [width, 3 writes, d]: take the second write.
    let decoder = random.floats(width * 3 * d)
    let output = try backend.decode(
      code, weight: Tensor(decoder, shape: [width, 3, d]), start: d, rowStride: 3 * d, d: d,
      bias: Tensor([1, 2, 3, 4, 5], shape: [d]))
    let expected = (0..<n * d).map { i -> Float in
      let total = code.entries(ofRow: i / d).reduce(Double(i % d + 1)) {
        $0 + Double(code.activations[$1]) * Double(decoder[(Int(code.features[$1]) * 3 + 1) * d + i % d])
      }
      return Float(total)
    }
    expectClose(try output.read(), expected, rowLength: d, tolerance: 1e-5, "slice")
    let stranger = try SparseCode(rowOffsets: [0, 1], features: [19], activations: [1])
    #expect(throws: TensorError.self) {
      try backend.decode(
        stranger, weight: Tensor(decoder, shape: [width, 3, d]), start: 0, rowStride: 3 * d, d: d, bias: nil)
    }
  }

  @Test func encodingNothingIsRefused() throws {
    #expect(throws: TensorError.self) {
      try backend.encode(
        Tensor([], shape: [2, 0]), weight: Tensor([], shape: [0, 3]), bias: Tensor([1, 1, 1], shape: [3]),
        threshold: Tensor([0, 0, 0], shape: [3]))
    }
  }

  @Test func rowsThatSplitBlocksAreRefused() throws {
    // One block of 256: as a list of single elements its rows would have no bytes of their own.
    let storage = try HostStorage(byteCount: 144)
    storage.bytes.initializeMemory(as: UInt8.self, repeating: 0x21)
    let list = try Tensor(storage: storage, shape: [256], dtype: .q4_k)
    let row = try list.reshaped([1, 256])
    #expect(try backend.widen(list).shape == [256])
    #expect(try backend.widen(list).read() == backend.widen(row).read())
    #expect(try backend.widen(row).read().contains { $0 != 0 })
    let x = try Tensor([Float](repeating: 1, count: 256), shape: [1, 256])
    let wrong = [
      { try backend.gather(list, rows: [0], scale: 1) }, { try backend.upload(list) },
      { try backend.matmul(x, list) }, { try backend.linear(Tensor([1], shape: [1, 1]), list) },
    ]
    for operation in wrong {
      do {
        _ = try operation()
        Issue.record("took a list of blocks for a matrix")
      } catch TensorError.shape(_, let expected, _) {
        #expect(expected.contains("whole blocks of q4_k"))
      }
    }
    let halves = try HostStorage(byteCount: 6)
    halves.bytes.storeBytes(of: 0x3C00_4000, toByteOffset: 0, as: UInt32.self)
    halves.bytes.storeBytes(of: 0x4200, toByteOffset: 4, as: UInt16.self)
    #expect(try backend.widen(Tensor(storage: halves, shape: [3], dtype: .f16)).read() == [2, 1, 3])
    #expect(try backend.widen(Tensor(storage: halves, shape: [], dtype: .bf16)).read() == [2])
  }

  @Test func formatsThatAreNotComputedWithAreNamed() throws {
    let doubles = try Tensor(storage: HostStorage(byteCount: 16), shape: [1, 2], dtype: .f64)
    do {
      _ = try backend.widen(doubles)
      Issue.record("widened f64")
    } catch {
      #expect("\(error)".contains("expected f32, f16, bf16, scaled int8 or a block format"))
    }
  }

  @Test func logSumExpAndTopK() throws {
    let x = try Tensor([1, 3, 3, -2, 0, 0, 0, 0], shape: [2, 4])
    let sums = try backend.logSumExp(x)
    #expect(abs(Double(sums[0]) - log(exp(1.0) + 2 * exp(3.0) + exp(-2.0))) < 1e-5)
    #expect(abs(Double(sums[1]) - log(4.0)) < 1e-6)
    #expect(try backend.topK(x, 3).map { $0.map(\.index) } == [[1, 2, 0], [0, 1, 2]])
    #expect(try backend.topK(x, 0).map(\.count) == [0, 0])
    #expect(throws: TensorError.self) { try backend.topK(x, 5) }
    #expect(try backend.spreads(x, entries: 2, bars: 3).map { $0.top.map(\.index) } == [[1, 2], [0, 1]])
    #expect(throws: TensorError.self) { try backend.spreads(x, entries: 5, bars: 3) }
    #expect(throws: TensorError.self) { try backend.spreads(x, entries: 0, bars: 3) }
    #expect(throws: TensorError.self) { try backend.spreads(x, entries: 1, bars: 65) }
  }

  @Test func processorsAndInstructionSets() throws {
    #expect(ProcessorCount.available >= 1)
    #expect(NativeBackend.InstructionSet.available.contains(.scalar))
    for isa in NativeBackend.InstructionSet.allCases where !isa.isAvailable {
      #expect(throws: TensorError.self) { try NativeBackend(isa: isa) }
    }
    #expect(throws: TensorError.self) { try NativeBackend(threads: 0) }
    #expect(try NativeBackend(isa: .scalar, threads: 3).name == "cpu (scalar, 3 threads)")
  }
}
