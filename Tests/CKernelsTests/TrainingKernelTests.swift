import CKernels
import Foundation
import TestSupport
import Testing

@Suite struct TrainingKernelTests {
  static let cases = [
    TrainingCase(tokens: 1, width: 1, inputs: 1, outputs: 1, groupEnds: [1], density: 100, seed: 1),
    TrainingCase(tokens: 37, width: 29, inputs: 17, outputs: 23, groupEnds: [5, 29], density: 20, seed: 2),
    TrainingCase(tokens: 130, width: 67, inputs: 40, outputs: 33, groupEnds: [1, 2, 31, 67], density: 45, seed: 3),
    TrainingCase(tokens: 1100, width: 101, inputs: 3, outputs: 64, groupEnds: [101], density: 7, seed: 4),
    TrainingCase(tokens: 64, width: 40, inputs: 129, outputs: 7, groupEnds: [10, 40], density: 0, seed: 5),
  ]

  @Test(arguments: cases.indices) func decode(index: Int) throws {
    let c = Self.cases[index]
    for straight in [true, false] {
      var expected = c.planes.map(Double.init)
      var counts = [Double](repeating: 2, count: c.tokens)
      for token in 0..<c.tokens {
        for entry in c.entries(token) {
          let i = Int(c.features[entry])
          guard !straight || c.values[entry] > c.thresholds[i] else { continue }
          counts[token] += 1
          let start = (c.group(i) * c.tokens + token) * c.stride
          for j in 0..<c.outputs {
            expected[start + j] += Double(c.values[entry]) * Double(c.decoder[i * c.outputs + j])
          }
        }
      }
      let same = try KernelHarness.run { table, pool in
        var planes = c.planes
        var active = [Int32](repeating: 2, count: c.tokens)
        let limits = c.thresholds
        withPointers(c) { call in
          limits.withUnsafeBufferPointer { limits in
            planes.withUnsafeMutableBufferPointer { planes in
              active.withUnsafeMutableBufferPointer { active in
                var call = gs_train_decode(
                  rows: Int64(c.tokens), d: Int64(c.outputs), row_offsets: call.offsets, features: call.features,
                  z: call.values, threshold: straight ? limits.baseAddress : nil, w: call.decoder,
                  groups: Int64(c.groups), group_ends: call.ends, planes: planes.baseAddress, ldp: Int64(c.stride),
                  plane: Int64(c.tokens * c.stride), active: active.baseAddress)
                table.train_decode(pool, &call)
              }
            }
          }
        }
        return [planes, active.map(Float.init)]
      } check: { name, results in
        #expect(KernelHarness.largestDifference(results[0], expected) < 2e-5, "\(name) case \(index)")
        #expect(KernelHarness.largestDifference(results[1], counts) == 0, "\(name) case \(index)")
      }
      #expect(same)
    }
  }

  @Test(arguments: cases.indices) func errors(index: Int) throws {
    let c = Self.cases[index]
    let weights = (0..<c.groups).map { 0.5 + Float($0) }
    var planes = c.planes.map(Double.init)
    var squares = [Double](repeating: 1, count: c.groups * c.tokens)
    var residual = c.planes.map { _ in 0.0 }
    for token in 0..<c.tokens {
      for j in 0..<c.outputs {
        var sum = Double(c.bias[j]) - 0.7 * Double(c.target[token * c.outputs + j])
        let errors = (0..<c.groups).map { group in
          sum += Double(c.planes[(group * c.tokens + token) * c.stride + j])
          squares[group * c.tokens + token] += sum * sum
          return sum
        }
        residual[token * c.stride + j] = -sum
        var total = 0.0
        for group in (0..<c.groups).reversed() {
          total += errors[group] * Double(weights[group]) * 0.3
          planes[(group * c.tokens + token) * c.stride + j] = total
        }
      }
    }
    let same = try KernelHarness.run { table, pool in
      var found = c.planes
      var sums = [Float](repeating: 1, count: c.groups * c.tokens)
      var rest = [Float](repeating: 0, count: c.planes.count)
      found.withUnsafeMutableBufferPointer { planes in
        sums.withUnsafeMutableBufferPointer { sums in
          rest.withUnsafeMutableBufferPointer { rest in
            c.target.withUnsafeBufferPointer { target in
              c.bias.withUnsafeBufferPointer { bias in
                weights.withUnsafeBufferPointer { weights in
                  var call = gs_train_errors(
                    rows: Int64(c.tokens), d: Int64(c.outputs), groups: Int64(c.groups), planes: planes.baseAddress,
                    ldp: Int64(c.stride), plane: Int64(c.tokens * c.stride), target: target.baseAddress,
                    ldt: Int64(c.outputs), target_scale: 0.7, bias: bias.baseAddress, weights: weights.baseAddress,
                    scale: 0.3, squares: sums.baseAddress, residual: rest.baseAddress)
                  table.train_errors(pool, &call)
                }
              }
            }
          }
        }
      }
      return [found, sums, rest]
    } check: { name, results in
      #expect(KernelHarness.largestDifference(results[0], planes) < 3e-5, "\(name) case \(index)")
      #expect(KernelHarness.largestDifference(results[1], squares) < 1e-3, "\(name) case \(index)")
      #expect(KernelHarness.largestDifference(results[2], residual) < 3e-5, "\(name) case \(index)")
    }
    #expect(same)
  }

  @Test(arguments: cases.indices) func rowsByFeature(index: Int) throws {
    let c = Self.cases[index]
    for straight in [true, false] {
      let expected = c.gradients(straight: straight, frequency: 0.01, frequencyScale: 0.3)
      let most = max(expected.reduce(0) { max($0, abs($1)) }, 1e-6)
      let same = try KernelHarness.run { table, pool in
        var gradients = [Float](repeating: -1, count: expected.count)
        try rows(c, table, pool, straight: straight, beta1: 0, gradients: &gradients)
        return [gradients]
      } check: { name, results in
        let worst = KernelHarness.largestDifference(results[0], expected)
        #expect(worst <= 3e-6 * most, "\(name) case \(index) straight \(straight): \(worst) of \(most)")
      }
      #expect(same)
    }
  }

  /// An update is the gradient without its part along the row, one step of Adam, and unit length; rows without pairs
  /// stay, or with β1 drift on.
  @Test(arguments: cases.indices, [Float(0), 0.8]) func update(index: Int, beta1: Float) throws {
    let c = Self.cases[index]
    let gradients = c.gradients(straight: true, frequency: 0.01, frequencyScale: 0.3)
    let (encoders, decoders) = (c.width * c.inputs, c.width * c.outputs)
    var projected = gradients
    for i in 0..<c.width {
      let start = encoders + 2 * c.width + i * c.outputs
      var along = 0.0
      for j in 0..<c.outputs { along += gradients[start + j] * Double(c.decoder[i * c.outputs + j]) }
      for j in 0..<c.outputs { projected[start + j] -= along * Double(c.decoder[i * c.outputs + j]) }
    }
    let before = (c.encoder + c.encoderBias + c.logThreshold + c.decoder).map(Double.init)
    let touched = Set(c.features.map { Int($0) })
    // All moments start at 0.25 and 0.125; the fifth step follows the second.
    var expected = before
    for p in expected.indices {
      let i =
        p < encoders
        ? p / c.inputs
        : p < encoders + 2 * c.width ? (p - encoders) % c.width : (p - encoders - 2 * c.width) / c.outputs
      guard touched.contains(i) || beta1 > 0 else { continue }
      let g = projected[p]
      let second = 0.25 * pow(0.99, 3) + 0.01 * g * g
      let first = beta1 > 0 ? 0.125 * Double(beta1) + (1 - Double(beta1)) * g : g
      let pace = p < encoders || p >= encoders + 2 * c.width ? 1 : p < encoders + c.width ? 0.25 : 0.5
      let rate = 0.01 / (1 - pow(Double(beta1), 5)) * pace
      expected[p] -= rate * first / ((second / (1 - pow(0.99, 5))).squareRoot() + 1e-6)
    }
    for i in 0..<c.width where touched.contains(i) || beta1 > 0 {
      let range = expected.count - decoders + i * c.outputs..<expected.count - decoders + (i + 1) * c.outputs
      let length = expected[range].reduce(0) { $0 + $1 * $1 }.squareRoot()
      for p in range { expected[p] /= length }
    }
    let same = try KernelHarness.run { table, pool in
      var none: [Float] = []
      return [try rows(c, table, pool, straight: true, beta1: beta1, gradients: &none)]
    } check: { name, results in
      #expect(KernelHarness.largestDifference(results[0], expected) < 2e-5, "\(name) case \(index)")
    }
    #expect(same)
  }

  @Test(arguments: [(1, 1), (17, 5), (40, 33), (7, 130)]) func denseHelpers(rows: Int, d: Int) throws {
    var random = SeededRandom(seed: UInt64(rows * d))
    let x = random.floats(rows * d)
    let bias = random.floats(d)
    let same = try KernelHarness.run { table, pool in
      var scaled = [Float](repeating: 0, count: rows * d)
      var turned = scaled
      var sums = [Double](repeating: 0, count: d)
      var squares = sums
      table.scale_rows(pool, Int64(rows), Int64(d), x, Int64(d), 0.5, bias, &scaled)
      table.transpose(pool, Int64(rows), Int64(d), x, Int64(d), &turned)
      table.column_sums(pool, Int64(rows), Int64(d), x, Int64(d), &sums, &squares)
      return [scaled, turned, (sums + squares).map { Float($0) }]
    } check: { name, results in
      let scaled = x.indices.map { 0.5 * Double(x[$0]) - Double(bias[$0 % d]) }
      #expect(KernelHarness.largestDifference(results[0], scaled) < 1e-6, "\(name)")
      #expect(results[1] == (0..<rows * d).map { x[$0 % rows * d + $0 / rows] }, "\(name)")
      let columns = (0..<d).map { j in (0..<rows).map { Double(x[$0 * d + j]) } }
      let sums = columns.map { $0.reduce(0, +) } + columns.map { $0.reduce(0) { $0 + $1 * $1 } }
      #expect(KernelHarness.largestDifference(results[2], sums) < 1e-5, "\(name)")
    }
    #expect(same)
  }

  private struct Pointers {
    var offsets: UnsafePointer<Int64>?
    var features, ends: UnsafePointer<Int32>?
    var values, decoder: UnsafePointer<Float>?
  }

  private func withPointers(_ c: TrainingCase, _ body: (Pointers) -> Void) {
    c.offsets.withUnsafeBufferPointer { offsets in
      c.features.withUnsafeBufferPointer { features in
        c.groupEnds.withUnsafeBufferPointer { ends in
          c.values.withUnsafeBufferPointer { values in
            c.decoder.withUnsafeBufferPointer { decoder in
              body(
                Pointers(
                  offsets: offsets.baseAddress, features: features.baseAddress, ends: ends.baseAddress,
                  values: values.baseAddress, decoder: decoder.baseAddress))
            }
          }
        }
      }
    }
  }

  /// Runs train_rows; with room in `gradients` they are recorded, else the parameters after the update are returned,
  /// in the order of `TrainingCase.gradients`.
  @discardableResult private func rows(
    _ c: TrainingCase, _ table: gs_kernels, _ pool: OpaquePointer, straight: Bool, beta1: Float,
    gradients: inout [Float]
  ) throws -> [Float] {
    var columns = gs_columns()
    withPointers(c) { p in
      #expect(
        table.train_columns(pool, Int64(c.tokens), Int64(c.width), p.offsets, p.features, p.values, &columns)
          == GS_OK.asInt32)
    }
    defer { gs_columns_free(&columns) }
    var parameters = c.encoder + c.encoderBias + c.logThreshold + c.decoder
    var second = [Float](repeating: 0.25, count: parameters.count)
    var first = [Float](repeating: 0.125, count: parameters.count)
    var last = [Int32](repeating: 2, count: c.width)
    var active = last
    let (thresholds, records) = (c.thresholds, !gradients.isEmpty)
    let places = [0, c.encoder.count, c.encoder.count + c.width, c.encoder.count + 2 * c.width]
    parameters.withUnsafeMutableBufferPointer { parameters in
      second.withUnsafeMutableBufferPointer { second in
        first.withUnsafeMutableBufferPointer { first in
          last.withUnsafeMutableBufferPointer { last in
            active.withUnsafeMutableBufferPointer { active in
              gradients.withUnsafeMutableBufferPointer { gradients in
                thresholds.withUnsafeBufferPointer { thresholds in
                  c.x.withUnsafeBufferPointer { x in
                    c.planes.withUnsafeBufferPointer { planes in
                      c.slope.withUnsafeBufferPointer { slope in
                        c.groupEnds.withUnsafeBufferPointer { ends in
                          func parameter(_ index: Int) -> gs_parameter {
                            gs_parameter(
                              value: parameters.baseAddress.map { $0 + places[index] },
                              second: second.baseAddress.map { $0 + places[index] },
                              first: beta1 > 0 ? first.baseAddress.map { $0 + places[index] } : nil)
                          }
                          var call = gs_train_rows()
                          (call.width, call.tokens) = (Int64(c.width), Int64(c.tokens))
                          (call.inputs, call.outputs) = (Int64(c.inputs), Int64(c.outputs))
                          call.pairs = columns
                          call.x = x.baseAddress
                          call.gradient = planes.baseAddress
                          (call.ldg, call.plane) = (Int64(c.stride), Int64(c.tokens * c.stride))
                          (call.groups, call.group_ends) = (Int64(c.groups), ends.baseAddress)
                          call.threshold = straight ? thresholds.baseAddress : nil
                          (call.bandwidth, call.slope) = (c.bandwidth, slope.baseAddress)
                          (call.frequency, call.frequency_scale) = (0.01, 0.3)
                          (call.encoder, call.encoder_bias) = (parameter(0), parameter(1))
                          (call.log_threshold, call.decoder) = (parameter(2), parameter(3))
                          call.last_step = last.baseAddress
                          call.adam = gs_adam(rate: 0.01, beta1: beta1, beta2: 0.99, epsilon: 1e-6, step: 5)
                          call.bias_rate = 0.25
                          call.threshold_rate = 0.5
                          call.active = active.baseAddress
                          if records {
                            call.encoder_gradient = gradients.baseAddress
                            call.encoder_bias_gradient = gradients.baseAddress.map { $0 + places[1] }
                            call.log_threshold_gradient = gradients.baseAddress.map { $0 + places[2] }
                            call.decoder_gradient = gradients.baseAddress.map { $0 + places[3] }
                          }
                          #expect(table.train_rows(pool, &call) == GS_OK.asInt32)
                        }
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
    return Array(parameters)
  }
}
