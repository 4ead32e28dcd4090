/// What may change from step to step: the values of the schedules.
public struct StepSettings: Hashable, Sendable {
  public var learningRate: Float
  /// Multiplies the learning rate of the encoder's biases.
  public var biasRate: Float
  /// Multiplies the learning rate of the thresholds.
  public var thresholdRate: Float
  /// λ of the quadratic L0 term (JumpReLU).
  public var sparsity: Float
  /// L0*, per token, over all sources (JumpReLU).
  public var targetL0: Float
  /// λ_f of the frequency penalty (JumpReLU).
  public var frequency: Float
  /// ε of the straight-through kernel, in normalised units (JumpReLU).
  public var bandwidth: Float
  /// k of TopK and BatchTopK.
  public var k: Int
  /// β of a loss on the reconstruction (`ReconstructionLoss`).
  public var endToEnd: Float

  public init(
    learningRate: Float, biasRate: Float = 1, thresholdRate: Float = 1, sparsity: Float = 0, targetL0: Float = 1,
    frequency: Float = 0, bandwidth: Float = 0.001, k: Int = 1, endToEnd: Float = 0
  ) {
    self.learningRate = learningRate
    self.biasRate = biasRate
    self.thresholdRate = thresholdRate
    self.sparsity = sparsity
    self.targetL0 = targetL0
    self.frequency = frequency
    self.bandwidth = bandwidth
    self.k = k
    self.endToEnd = endToEnd
  }

  /// - Throws: `TrainingError.setting` for a value no schedule should reach.
  func check(_ activation: TrainingObjective.Activation) throws {
    func positive(_ name: String, _ value: Float, zero: Bool) throws {
      guard value.isFinite, value > 0 || zero && value == 0 else {
        throw TrainingError.setting(
          name: name, expected: zero ? "a number from 0" : "a positive number", found: "\(value)")
      }
    }
    try positive("learning rate", learningRate, zero: true)
    try positive("bias rate", biasRate, zero: true)
    try positive("threshold rate", thresholdRate, zero: true)
    try positive("end to end", endToEnd, zero: true)
    switch activation {
    case .jumpReLU:
      try positive("sparsity", sparsity, zero: true)
      try positive("target L0", targetL0, zero: false)
      try positive("frequency", frequency, zero: true)
      try positive("bandwidth", bandwidth, zero: false)
    case .topK, .batchTopK:
      guard k > 0 else { throw TrainingError.setting(name: "k", expected: "a positive count", found: "\(k)") }
    }
  }
}

/// Adam's constants (arXiv 1412.6980), as `torch.optim.Adam` uses them: ε is added outside the root.
public struct AdamSettings: Hashable, Sendable {
  /// First moments are kept only when this is above 0.
  public var beta1: Float
  public var beta2: Float
  public var epsilon: Float

  /// Gemma Scope's: (0, 0.999), 1e-8.
  public init(beta1: Float = 0, beta2: Float = 0.999, epsilon: Float = 1e-8) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
  }

  /// - Throws: `TrainingError.setting`.
  func check() throws {
    for (name, value) in [("beta1", beta1), ("beta2", beta2)] where !(value >= 0 && value < 1) {
      throw TrainingError.setting(name: name, expected: "0 ..< 1", found: "\(value)")
    }
    guard epsilon > 0, epsilon.isFinite else {
      throw TrainingError.setting(name: "epsilon", expected: "a positive number", found: "\(epsilon)")
    }
  }
}
