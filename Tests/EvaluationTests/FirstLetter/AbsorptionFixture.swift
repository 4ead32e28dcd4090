import Checkpoints
import Evaluation
import Foundation
import TestSupport
import Tensors

/// What SAEBench's own code says of small inputs (Tools/make_absorption_fixtures.py).
struct AbsorptionFixture {
  let file: SafetensorsFile

  init(_ name: String) throws {
    file = try SafetensorsFile(Fixtures.url("evaluation/absorption-\(name).safetensors"))
  }

  func floats(_ name: String) throws -> [Float] { try file.tensor(name).read() }
  func integers(_ name: String) throws -> [Int] { try file.tensor(name).readIntegers() }

  func doubles(_ name: String) throws -> [Double] {
    try file.tensor(name).bytes().withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
    }
  }

  func code(_ prefix: String = "") throws -> SparseCode {
    try SparseCode(
      rowOffsets: integers(prefix + "row_offsets"), features: integers(prefix + "features").map { Int32($0) },
      activations: floats(prefix + "activations"))
  }

  /// The order of rows and the start that the script has too.
  static func order(_ epoch: Int, _ count: Int) -> [Int] { (0..<count).map { (29 * $0 + 7 * epoch) % count } }

  static func start(inputs: Int, outputs: Int) throws -> MultiProbe {
    func value(_ output: Int, _ input: Int) -> Double { Double((31 * output + 17 * input) % 13 - 6) / 60 }
    return try MultiProbe(
      inputs: inputs, outputs: outputs,
      weights: (0..<inputs).flatMap { input in (0..<outputs).map { value($0, input) } },
      biases: (0..<outputs).map { value($0, 0) })
  }
}

extension MultiProbe {
  /// As PyTorch lays weights out, [outputs, inputs].
  var rowsOfWeights: [Double] { (0..<outputs).flatMap(weights(of:)) }
}

func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
  a.count == b.count ? zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } : .infinity
}
