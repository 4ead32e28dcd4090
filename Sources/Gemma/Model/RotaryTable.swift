import Foundation
import Tensors

/// Rotary frequencies of one kind of layer: position p turns pair i by p · base^(−2i/head_dim) / scale.
struct RotaryFrequencies: Sendable {
  /// fp32, as transformers keeps them: rounding them otherwise would move far positions.
  private let frequencies: [Float]

  init(base: Double, scale: Double, headDimension: Int) {
    frequencies = (0..<headDimension / 2).map { i in
      let power = Float(pow(base, Double(2 * i) / Double(headDimension)))
      return 1 / power / Float(scale)
    }
  }

  /// Cosine and sine for each of `positions`.
  func angles(_ positions: [Int], backend: any Backend) throws -> RotaryAngles {
    let shape = [positions.count, frequencies.count]
    var cosines = [Float](repeating: 0, count: positions.count * frequencies.count)
    var sines = cosines
    var next = 0
    for position in positions {
      for frequency in frequencies {
        let angle = Double(Float(position) * frequency)
        cosines[next] = Float(cos(angle))
        sines[next] = Float(sin(angle))
        next += 1
      }
    }
    return RotaryAngles(
      cosines: try backend.tensor(cosines, shape: shape), sines: try backend.tensor(sines, shape: shape))
  }
}
