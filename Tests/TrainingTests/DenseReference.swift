import Dictionaries
import Foundation
import Tensors
import TestSupport
import Training

/// The training loss written out densely in double precision, with what is active held fixed where a derivative is
/// taken: slow and obvious.
struct DenseReference {
  let shape: TrainingShape
  let objective: TrainingObjective
  let settings: StepSettings
  /// [source][token][input], [token][column], normalised.
  let inputs: [[[Double]]]
  let targets: [[Double]]
  /// Dead features of each source.
  let dead: [[Bool]]

  typealias Parameters = [String: [Double]]
  /// [source][token][feature].
  typealias Gates = [[[Bool]]]

  var tokens: Int { targets.count }
  var prefixes: [TrainingObjective.Prefix] {
    objective.prefixes.isEmpty ? [.init(size: shape.width)] : objective.prefixes
  }

  /// Pre-activations after the ReLU.
  func encode(_ p: Parameters) -> [[[Double]]] {
    inputs.enumerated().map { source, rows in
      let (weights, bias) = (p["source.\(source).encoder"] ?? [], p["source.\(source).encoder_bias"] ?? [])
      return rows.map { row in
        (0..<shape.width).map { i in
          var z = bias[i]
          for j in 0..<shape.inputWidth {
            let x = row[j] - (shape.subtractsBias ? p["decoder_bias"]?[j] ?? 0 : 0)
            z += x * weights[i * shape.inputWidth + j]
          }
          return max(z, 0)
        }
      }
    }
  }

  /// What is active: by threshold, or the k largest of the batch or token.
  func gates(_ p: Parameters) -> Gates {
    let z = encode(p)
    switch objective.activation {
    case .jumpReLU:
      return z.enumerated().map { source, rows in
        let thresholds = (p["source.\(source).log_threshold"] ?? []).map { exp($0) }
        return rows.map { row in zip(row, thresholds).map { $0 > $1 } }
      }
    case .batchTopK:
      let all = z.flatMap { $0.flatMap { $0 } }.sorted(by: >)
      let cut = all[min(settings.k * tokens, all.count) - 1]
      return z.map { $0.map { $0.map { $0 >= cut && $0 > 0 } } }
    case .topK: return largest(z, settings.k) { _, _ in true }
    }
  }

  /// What AuxK decodes.
  func auxiliaryGates(_ p: Parameters) -> Gates {
    largest(encode(p), objective.auxK?.k ?? 0) { dead[$0][$1] }
  }

  private func largest(_ z: [[[Double]]], _ k: Int, where allowed: (Int, Int) -> Bool) -> Gates {
    var gates = z.map { $0.map { $0.map { _ in false } } }
    for token in 0..<tokens {
      var values: [Double] = []
      for source in z.indices {
        for i in 0..<shape.width where allowed(source, i) { values.append(z[source][token][i]) }
      }
      guard k > 0, !values.isEmpty else { continue }
      let cut = values.sorted(by: >)[min(k, values.count) - 1]
      for source in z.indices {
        for i in 0..<shape.width where allowed(source, i) {
          gates[source][token][i] = z[source][token][i] >= cut && z[source][token][i] > 0
        }
      }
    }
    return gates
  }

  /// x̂ − y for the features below `size`.
  func errors(_ p: Parameters, _ z: [[[Double]]], _ gates: Gates, size: Int, withBase: Bool = true) -> [[Double]] {
    let columns = shape.totalOutputWidth
    return (0..<tokens).map { token in
      var row =
        withBase ? zip(p["decoder_bias"] ?? [], targets[token]).map { $0 - $1 } : .init(repeating: 0, count: columns)
      for source in 0..<shape.sources {
        let range = shape.columns(ofSource: source)
        if withBase, let skip = p["skip.\(source)"] {
          for j in 0..<shape.inputWidth {
            for o in 0..<shape.outputWidth {
              row[range.lowerBound + o] += inputs[source][token][j] * skip[j * shape.outputWidth + o]
            }
          }
        }
        let decoder = p["source.\(source).decoder"] ?? []
        for i in 0..<min(size, shape.width) where gates[source][token][i] {
          for (o, column) in range.enumerated() {
            row[column] += z[source][token][i] * decoder[i * range.count + o]
          }
        }
      }
      return row
    }
  }

  /// The loss's part that has a derivative by weights and biases, with gates and AuxK's residual held fixed.
  func smoothLoss(_ p: Parameters, _ gates: Gates, auxiliary: Gates?, residual: [[Double]]) -> Double {
    let z = encode(p)
    var loss = 0.0
    for prefix in prefixes {
      loss += Double(prefix.weight) * meanSquare(errors(p, z, gates, size: prefix.size))
    }
    if let auxiliary, let auxK = objective.auxK {
      let decoded = errors(p, z, auxiliary, size: shape.width, withBase: false)
      let differences = zip(decoded, residual).map { zip($0, $1).map { $0 - $1 } }
      loss += Double(auxK.coefficient) * meanSquare(differences)
    }
    return loss
  }

  /// The straight-through gradient by log θ, by its formula.
  func thresholdGradient(_ p: Parameters, source: Int) -> [Double] {
    let (z, gates) = (encode(p), gates(p))
    let scale = 2 / Double(tokens)
    let errors = prefixes.map { self.errors(p, z, gates, size: $0.size) }
    let decoder = p["source.\(source).decoder"] ?? []
    let range = shape.columns(ofSource: source)
    let (width, target) = (Double(settings.bandwidth), Double(settings.targetL0))
    let weights = self.weights
    return (0..<shape.width).map { i in
      let threshold = exp(p["source.\(source).log_threshold"]?[i] ?? 0)
      let share = Double(gates[source].filter { $0[i] }.count) / Double(tokens)
      let frequency =
        Double(settings.frequency) / Double(tokens) * (1 + 2 * share / Double(objective.frequencyScale))
      var sum = 0.0
      for token in 0..<tokens {
        let value = z[source][token][i]
        guard value > 0, abs(value - threshold) < width / 2 else { continue }
        var slope = 0.0  // d loss / d activation
        for (prefix, error) in zip(prefixes, errors) where i < prefix.size {
          for (o, column) in range.enumerated() {
            slope +=
              Double(prefix.weight) * scale * weights[token][column] * error[token][column]
              * decoder[i * range.count + o]
          }
        }
        let l0 = Double(gates.reduce(0) { $0 + $1[token].filter { $0 }.count })
        let sparsity = Double(settings.sparsity) * 4 / target * (l0 - target) / Double(tokens)
        sum += slope * (-threshold / width) + (sparsity + frequency) * (-1 / width)
      }
      return threshold * sum
    }
  }

  /// [token][column]: below 1 for targets longer than `normLimit` times the median of their write.
  var weights: [[Double]] {
    var weights = targets.map { $0.map { _ in 1.0 } }
    guard let limit = objective.normLimit else { return weights }
    for write in 0..<shape.writes {
      let columns = write * shape.outputWidth..<(write + 1) * shape.outputWidth
      let lengths = targets.map { row in row[columns].reduce(0) { $0 + $1 * $1 }.squareRoot() }
      let most = Double(limit) * lengths.sorted()[tokens / 2]
      for token in 0..<tokens where lengths[token] > most {
        for column in columns { weights[token][column] = most * most / (lengths[token] * lengths[token]) }
      }
    }
    return weights
  }

  private func meanSquare(_ rows: [[Double]]) -> Double {
    zip(rows, weights).reduce(0.0) { $0 + zip($1.0, $1.1).reduce(0.0) { $0 + $1.0 * $1.0 * $1.1 } } / Double(tokens)
  }
}
