import Foundation

/// Several one-against-the-rest logistic probes trained at once as SAEBench 0.6.0 does (`train_multi_probe`,
/// `probing.py` of its absorption evaluation): z = x W + b, one output a class.
///
/// Adam (Kingma & Ba 2015) on the mean over rows and outputs of the binary cross-entropy, in which the positives of an
/// output count as often more as it has fewer of them; the rate falls by the same factor every epoch; the last epoch is
/// kept. Arithmetic is fp64 and on one thread.
public struct MultiProbe: Sendable, Equatable {
  public struct Options: Sendable, Equatable {
    /// Rows a step.
    public var batch: Int
    public var epochs: Int
    /// Adam's rate in the first epoch, and what it has fallen to after the last.
    public var rate, endRate: Double
    /// Times half the squared weights and biases, added to the loss.
    public var weightDecay: Double
    /// Times the mean over outputs of Σ|W|, added to the loss.
    public var l1: Double

    public init(
      batch: Int = 64, epochs: Int = 50, rate: Double = 1e-2, endRate: Double = 1e-5, weightDecay: Double = 1e-4,
      l1: Double = 0
    ) {
      self.batch = batch
      self.epochs = epochs
      self.rate = rate
      self.endRate = endRate
      self.weightDecay = weightDecay
      self.l1 = l1
    }
  }

  /// Numbers of a row.
  public let inputs: Int
  /// Probes.
  public let outputs: Int
  /// [inputs, outputs].
  public private(set) var weights: [Double]
  /// [outputs].
  public private(set) var biases: [Double]

  /// - Throws: `EvaluationError.shape`.
  public init(inputs: Int, outputs: Int, weights: [Double], biases: [Double]) throws {
    guard inputs > 0, outputs > 0, weights.count == inputs * outputs, biases.count == outputs else {
      throw EvaluationError.shape(
        what: "probe", expected: "[\(inputs), \(outputs)] weights and \(outputs) biases",
        found: "\(weights.count) and \(biases.count)")
    }
    (self.inputs, self.outputs, self.weights, self.biases) = (inputs, outputs, weights, biases)
  }

  /// Weights of probe `output`, [inputs].
  public func weights(of output: Int) -> [Double] {
    stride(from: output, to: weights.count, by: outputs).map { weights[$0] }
  }

  /// z of every row and output, [rows, outputs].
  /// - Throws: `EvaluationError.shape` for rows of another width.
  public func logits(_ rows: LetterRows) throws -> [Double] {
    try checkWidth(rows)
    var logits: [Double] = []
    logits.reserveCapacity(rows.count * outputs)
    for row in 0..<rows.count {
      var z = biases
      weights.withUnsafeBufferPointer { weights in
        z.withUnsafeMutableBufferPointer { z in
          rows.forEach(inRow: row) { input, value in
            for output in 0..<outputs { z[output] += value * weights[input * outputs + output] }
          }
        }
      }
      logits += z
    }
    return logits
  }

  private func checkWidth(_ rows: LetterRows) throws {
    try rows.check("rows of a probe")
    guard rows.width == inputs else {
      throw EvaluationError.shape(what: "rows of a probe", expected: "\(inputs) numbers", found: "\(rows.width)")
    }
  }

  /// Trains from a seeded start (PyTorch's `nn.Linear`: uniform in ±1/√inputs) on seeded batches.
  /// - Parameters:
  ///   - labels: of each row the output that it is a positive of, a negative of all others; outside 0 ..< `outputs` of
  ///     none.
  ///   - check: called before each epoch.
  /// - Throws: `EvaluationError.shape` for labels, rows or options that do not fit, and what `check` throws.
  public static func train(
    _ rows: LetterRows, labels: [Int], outputs: Int, options: Options, seed: UInt64,
    check: () throws -> Void = {}
  ) throws -> MultiProbe {
    var random = DrawRandom(seed: seed, stream: 0x9B0B)
    let bound = 1 / Double(max(rows.width, 1)).squareRoot()
    let start = try MultiProbe(
      inputs: rows.width, outputs: outputs, weights: (0..<rows.width * outputs).map { _ in bound * random.symmetric() },
      biases: (0..<outputs).map { _ in bound * random.symmetric() })
    let all = Array(0..<rows.count)
    return try start.trained(
      on: rows, labels: labels, options: options, order: { _ in random.shuffled(all) }, check: check)
  }

  /// The probe after training from these weights.
  /// - Parameter order: the rows of an epoch in the order in which they fill its batches.
  package func trained(
    on rows: LetterRows, labels: [Int], options: Options, order: (Int) -> [Int], check: () throws -> Void = {}
  ) throws -> MultiProbe {
    try checkWidth(rows)
    guard labels.count == rows.count else {
      throw EvaluationError.shape(what: "labels of a probe", expected: "\(rows.count)", found: "\(labels.count)")
    }
    guard options.batch > 0, options.epochs > 0, options.rate > 0, options.endRate > 0 else {
      throw EvaluationError.shape(
        what: "options of a probe", expected: "a batch, epochs and rates above 0", found: "\(options)")
    }
    let gamma = exp(log(options.endRate / options.rate) / Double(options.epochs))
    var trainer = Trainer(self, positives: labels, options: options)
    for epoch in 0..<options.epochs {
      try check()
      let rate = options.rate * pow(gamma, Double(epoch))
      let places = order(epoch)
      for start in stride(from: 0, to: places.count, by: options.batch) {
        trainer.step(rows, labels, places[start..<min(start + options.batch, places.count)], rate: rate)
      }
    }
    return trainer.probe
  }
}

extension MultiProbe {
  /// Adam's state, with torch.optim.Adam's defaults: β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
  private struct Trainer {
    private let (inputs, outputs): (Int, Int)
    private let options: Options
    /// #negatives / #positives of each output.
    private let positiveWeights: [Double]
    /// Weights, then biases; their gradients and the moments alike.
    private var parameters: [Double]
    private var gradient: [Double]
    private var first: [Double]
    private var second: [Double]
    private var steps = 0

    init(_ probe: MultiProbe, positives labels: [Int], options: Options) {
      (inputs, outputs) = (probe.inputs, probe.outputs)
      self.options = options
      parameters = probe.weights + probe.biases
      gradient = parameters.map { _ in 0 }
      (first, second) = (gradient, gradient)
      var counts = [Int](repeating: 0, count: probe.outputs)
      for label in labels where counts.indices ~= label { counts[label] += 1 }
      // An output without positives has no term that this weight would multiply.
      positiveWeights = counts.map { $0 == 0 ? 0 : Double(labels.count - $0) / Double($0) }
    }

    var probe: MultiProbe {
      var probe = unchecked
      probe.weights = Array(parameters[..<(inputs * outputs)])
      probe.biases = Array(parameters[(inputs * outputs)...])
      return probe
    }

    private var unchecked: MultiProbe { MultiProbe(inputs: inputs, outputs: outputs) }

    mutating func step(_ rows: LetterRows, _ labels: [Int], _ batch: ArraySlice<Int>, rate: Double) {
      regularise()
      let biases = inputs * outputs
      let scale = 1 / Double(batch.count * outputs)
      var z = [Double](repeating: 0, count: outputs)
      parameters.withUnsafeBufferPointer { parameters in
        gradient.withUnsafeMutableBufferPointer { gradient in
          z.withUnsafeMutableBufferPointer { z in
            for row in batch {
              for output in 0..<outputs { z[output] = parameters[biases + output] }
              rows.forEach(inRow: row) { input, value in
                let start = input * outputs
                for output in 0..<outputs { z[output] += value * parameters[start + output] }
              }
              for output in 0..<outputs {
                let p = 1 / (1 + exp(-z[output]))
                z[output] = scale * (labels[row] == output ? positiveWeights[output] * (p - 1) : p)
                gradient[biases + output] += z[output]
              }
              rows.forEach(inRow: row) { input, value in
                let start = input * outputs
                for output in 0..<outputs { gradient[start + output] += value * z[output] }
              }
            }
          }
        }
      }
      update(rate)
    }

    /// Starts the gradient with those of weight decay and of the L1 term, which is 0 at 0 as in PyTorch.
    private mutating func regularise() {
      let l1 = options.l1 / Double(outputs)
      for i in gradient.indices { gradient[i] = options.weightDecay * parameters[i] }
      guard l1 != 0 else { return }
      for i in 0..<inputs * outputs {
        gradient[i] += parameters[i] > 0 ? l1 : parameters[i] < 0 ? -l1 : 0
      }
    }

    private mutating func update(_ rate: Double) {
      steps += 1
      let (beta1, beta2) = (0.9, 0.999)
      let size = rate / (1 - pow(beta1, Double(steps)))
      let root = (1 - pow(beta2, Double(steps))).squareRoot()
      for i in parameters.indices {
        let g = gradient[i]
        first[i] += (g - first[i]) * (1 - beta1)
        second[i] = second[i] * beta2 + g * g * (1 - beta2)
        parameters[i] -= size * first[i] / (second[i].squareRoot() / root + 1e-8)
      }
    }
  }

  /// All zeros.
  private init(inputs: Int, outputs: Int) {
    (self.inputs, self.outputs) = (inputs, outputs)
    weights = [Double](repeating: 0, count: inputs * outputs)
    biases = [Double](repeating: 0, count: outputs)
  }
}
