import CKernels
import Foundation
import TestSupport

/// Made-up pairs of one source, and everything a training kernel reads beside them.
struct TrainingCase {
  let tokens, width, inputs, outputs: Int
  let groupEnds: [Int32]
  var offsets: [Int64] = [0]
  var features: [Int32] = []
  var values: [Float] = []
  let x, planes, target, bias, slope, encoder, encoderBias, logThreshold, decoder: [Float]
  /// Floats between rows of the planes: more than a source writes.
  let stride: Int
  let bandwidth: Float = 0.2

  var thresholds: [Float] { logThreshold.map { exp($0) } }
  var groups: Int { groupEnds.count }

  init(tokens: Int, width: Int, inputs: Int, outputs: Int, groupEnds: [Int32], density: Int, seed: UInt64) {
    (self.tokens, self.width, self.inputs, self.outputs) = (tokens, width, inputs, outputs)
    self.groupEnds = groupEnds
    stride = outputs + 3
    var random = SeededRandom(seed: seed)
    for _ in 0..<tokens {
      for feature in 0..<width where random.int(0...99) < density {
        features.append(Int32(feature))
        values.append(abs(random.float()) + 1e-3)
      }
      offsets.append(Int64(features.count))
    }
    x = random.floats(tokens * inputs)
    planes = random.floats(groupEnds.count * tokens * stride)
    target = random.floats(tokens * outputs)
    bias = random.floats(outputs)
    slope = random.floats(tokens)
    encoder = random.floats(width * inputs)
    encoderBias = random.floats(width)
    logThreshold = random.floats(width).map { $0 - 1 }
    decoder = random.floats(width * outputs)
  }

  func entries(_ token: Int) -> Range<Int> { Int(offsets[token])..<Int(offsets[token + 1]) }
  func group(_ feature: Int) -> Int { groupEnds.firstIndex { feature < Int($0) } ?? groups - 1 }

  /// Gradients of every feature in double precision: encoder, bias, log threshold, decoder, one after another.
  func gradients(straight: Bool, frequency: Double, frequencyScale: Double) -> [Double] {
    let limits = thresholds.map(Double.init)
    var encoder = [Double](repeating: 0, count: width * inputs)
    var decoder = [Double](repeating: 0, count: width * outputs)
    var bias = [Double](repeating: 0, count: width)
    var threshold = bias
    var active = [Int](repeating: 0, count: width)
    for (feature, value) in zip(features, values) where !straight || value > thresholds[Int(feature)] {
      active[Int(feature)] += 1
    }
    for token in 0..<tokens {
      for entry in entries(token) {
        let i = Int(features[entry])
        let z = Double(values[entry])
        let start = (group(i) * tokens + token) * stride
        var along = 0.0
        for j in 0..<outputs { along += Double(planes[start + j]) * Double(self.decoder[i * outputs + j]) }
        if straight, abs(values[entry] - thresholds[i]) < 0.5 * bandwidth {
          let share = Double(active[i]) / Double(tokens)
          let slope = Double(slope[token]) + frequency * (1 + 2 * share / frequencyScale)
          threshold[i] -= limits[i] / Double(bandwidth) * (limits[i] * along + slope)
        }
        guard !straight || values[entry] > thresholds[i] else { continue }
        for j in 0..<outputs { decoder[i * outputs + j] += z * Double(planes[start + j]) }
        for j in 0..<inputs { encoder[i * inputs + j] += along * Double(x[token * inputs + j]) }
        bias[i] += along
      }
    }
    return encoder + bias + threshold + decoder
  }
}
