import Evaluation
import Foundation
import TestSupport
import Tensors
import Testing

@Suite struct MultiProbeTests {
  /// Three epochs of batches of 8 (the last of 5) as PyTorch trains them in fp64 under SAEBench's code.
  @Test(arguments: ["plain", "l1"]) func trainsAsPyTorch(name: String) throws {
    let fixture = try AbsorptionFixture("probe")
    let rows = LetterRows.dense(try fixture.floats("x"), width: 6)
    let labels = try fixture.integers("labels")
    let start = try AbsorptionFixture.start(inputs: 6, outputs: 4)
    #expect(try largestDifference(start.rowsOfWeights, fixture.doubles("start.weight")) < 1e-15)
    #expect(try largestDifference(start.biases, fixture.doubles("start.bias")) < 1e-15)
    let options = MultiProbe.Options(
      batch: 8, epochs: 3, weightDecay: name == "l1" ? 1e-6 : 1e-4, l1: name == "l1" ? 0.01 : 0)
    let probe = try start.trained(
      on: rows, labels: labels, options: options, order: { AbsorptionFixture.order($0, labels.count) })
    #expect(try largestDifference(probe.rowsOfWeights, fixture.doubles("\(name).weight")) < 1e-10)
    #expect(try largestDifference(probe.biases, fixture.doubles("\(name).bias")) < 1e-10)
  }

  /// A code and the same numbers spelled out with their zeros train the same probe.
  @Test func sparseRowsAreRows() throws {
    var random = SeededRandom(seed: 5)
    let (count, width) = (31, 17)
    let dense = (0..<count * width).map { _ in random.int(0...3) == 0 ? random.float() : 0 }
    let active = (0..<count).map { row in (0..<width).filter { dense[row * width + $0] != 0 } }
    let code = try SparseCode(
      rowOffsets: active.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) },
      features: active.flatMap { $0.map { Int32($0) } },
      activations: active.enumerated().flatMap { row, features in features.map { dense[row * width + $0] } })
    let labels = (0..<count).map { $0 % 3 }
    let options = MultiProbe.Options(batch: 7, epochs: 4, l1: 0.02)
    let probes = try [LetterRows.dense(dense, width: width), .sparse(code, width: width)].map {
      try MultiProbe.train($0, labels: labels, outputs: 3, options: options, seed: 1)
    }
    #expect(probes[0] == probes[1])
    #expect(try probes[0].logits(.dense(dense, width: width)) == (try probes[0].logits(.sparse(code, width: width))))
  }

  @Test func seedsDecide() throws {
    var random = SeededRandom(seed: 6)
    let rows = LetterRows.dense(random.floats(40 * 3), width: 3)
    func train(_ seed: UInt64) throws -> MultiProbe {
      try MultiProbe.train(
        rows, labels: (0..<40).map { $0 % 2 }, outputs: 2, options: .init(batch: 9, epochs: 2), seed: seed)
    }
    #expect(try train(1) == (try train(1)))
    #expect(try train(1) != (try train(2)))
  }

  /// A class without positives gets a probe that says no, and a row of no class is a negative of all.
  @Test func missingClassesAreFinite() throws {
    var random = SeededRandom(seed: 7)
    let rows = LetterRows.dense(random.floats(50 * 4), width: 4)
    let probe = try MultiProbe.train(
      rows, labels: (0..<50).map { $0 % 2 == 0 ? 0 : -1 }, outputs: 3,
      options: .init(batch: 4, rate: 0.1, endRate: 1e-3), seed: 1)
    #expect((probe.weights + probe.biases).allSatisfy { $0.isFinite })
    let logits = try probe.logits(rows)
    #expect(stride(from: 1, to: logits.count, by: 3).allSatisfy { logits[$0] < 0 && logits[$0 + 1] < 0 })
  }

  @Test func whatDoesNotFitIsNamed() throws {
    let rows = LetterRows.dense([1, 2, 3, 4], width: 2)
    let options = MultiProbe.Options()
    for (rows, labels, options) in [
      (rows, [0], options), (.dense([1, 2, 3], width: 2), [0], options), (.dense([], width: 0), [], options),
      (rows, [0, 1], MultiProbe.Options(batch: 0)), (rows, [0, 1], MultiProbe.Options(endRate: 0)),
      (.sparse(try SparseCode(rowOffsets: [0, 1], features: [2], activations: [1]), width: 2), [0], options),
    ] {
      #expect(throws: EvaluationError.self) {
        _ = try MultiProbe.train(rows, labels: labels, outputs: 2, options: options, seed: 0)
      }
    }
    #expect(throws: CancellationError.self) {
      _ = try MultiProbe.train(rows, labels: [0, 1], outputs: 2, options: options, seed: 0) {
        throw CancellationError()
      }
    }
    #expect(throws: EvaluationError.self) { _ = try rows.selecting([2]) }
  }
}
