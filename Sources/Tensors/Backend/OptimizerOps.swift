/// What training sparse dictionaries asks of a machine. Parameters and optimiser state live in host memory and change in
/// place; matrices are row-major and contiguous unless a stride is named.
///
/// Callers check shapes; every operation gives the same bits for any number of threads.
package protocol OptimizerOps: Sendable {
  /// out = scale · x − bias: x [n, d], bias [d].
  func scale(_ x: Tensor, by scale: Float, minus bias: HostArray<Float>?, into out: HostArray<Float>) throws

  /// Pairs with z = x·w + bias above both `threshold` and 0: rows `rows` of x [·, d], w [width, d], bias and threshold
  /// [width].
  func encodePairs(
    _ x: HostArray<Float>, rows: Range<Int>, d: Int, weights: HostArray<Float>, bias: HostArray<Float>,
    threshold: HostArray<Float>, width: Int
  ) throws -> PairCode

  /// Rows `rows` of x [·, d], one after another.
  func gather(_ x: HostArray<Float>, d: Int, rows: [Int32], into out: HostArray<Float>) throws

  /// Adds the decodes of a source's active pairs to `planes`, one for each group, and their number to `active` [rows].
  func decodePairs(
    _ code: PairCode, threshold: HostArray<Float>?, decoder: HostArray<Float>, groupEnds: [Int32],
    into planes: TrainingPlanes, columns: Range<Int>, active: HostArray<Int32>)

  /// `decodePairs` by dense products, for codes in which most features are active.
  func decodeProducts(
    _ code: PairCode, threshold: HostArray<Float>?, decoder: HostArray<Float>, width: Int, groupEnds: [Int32],
    into planes: TrainingPlanes, columns: Range<Int>, active: HostArray<Int32>) throws

  /// What `updateFeatures` makes of a code's pairs, by dense products. All arguments are as there.
  func gradientProducts(
    _ code: PairCode, x: HostArray<Float>, inputs: Int, gradient: TrainingPlanes, columns: Range<Int>,
    groupEnds: [Int32], decoder: HostArray<Float>, width: Int, threshold: HostArray<Float>?, bandwidth: Float,
    slope: HostArray<Float>
  ) throws -> FeatureProducts

  /// Turns the decodes of columns `columns` into gradients; see `gs_train_errors`. `squares` [groups, rows] grow.
  func errors(_ errors: TrainingErrors)

  /// The pairs of `code` by feature.
  func columns(_ code: PairCode, width: Int) throws -> PairColumns

  /// Gradients and update of one source's features.
  func updateFeatures(_ update: FeatureUpdate) throws

  /// One Adam step of a dense parameter.
  func adam(_ parameter: AdamParameter, gradient: [Float], _ step: AdamStep) throws

  /// Σ and Σ of squares of each of `columns` columns, from `x` on, over rows `stride` apart.
  func columnSums(_ x: UnsafePointer<Float>, rows: Int, columns: Int, stride: Int) -> (
    sums: [Double], squares: [Double]
  )

  /// planes[0][:, columns] += x·w, x [rows, d], w [d, columns.count].
  func addProduct(_ x: HostArray<Float>, d: Int, _ w: HostArray<Float>, to planes: TrainingPlanes, columns: Range<Int>)
    throws
  /// xᵀ·planes[0][:, columns]: [d, columns.count].
  func outerProduct(_ x: HostArray<Float>, d: Int, _ planes: TrainingPlanes, columns: Range<Int>) throws -> [Float]
}

/// One row of all targets for each token, once for each Matryoshka group: [groups, rows, columns].
package struct TrainingPlanes {
  package let memory: HostArray<Float>
  package let groups: Int
  package let rows: Int
  package let columns: Int

  package init(groups: Int, rows: Int, columns: Int) throws {
    self.groups = groups
    self.rows = rows
    self.columns = columns
    memory = try HostArray(groups * rows * columns)
  }

  package func plane(_ group: Int) -> UnsafeMutablePointer<Float> { memory.pointer + group * rows * columns }
  package var count: Int { groups * rows * columns }
}

/// A parameter and its moments; the first only with β1 > 0.
package struct AdamParameter {
  package let value: HostArray<Float>
  package let second: HostArray<Float>
  package let first: HostArray<Float>?

  package init(_ count: Int, hasFirst: Bool) throws {
    value = try HostArray(count)
    second = try HostArray(count)
    first = hasFirst ? try HostArray(count) : nil
  }
}

/// The constants of one Adam step; `step` counts from 1.
package struct AdamStep {
  package var rate: Float
  package var beta1: Float
  package var beta2: Float
  package var epsilon: Float
  package var step: Int

  package init(rate: Float, beta1: Float, beta2: Float, epsilon: Float, step: Int) {
    self.rate = rate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.step = step
  }
}

/// The arguments of `OptimizerOps.errors`.
package struct TrainingErrors {
  package var planes: TrainingPlanes
  package var columns: Range<Int>
  /// [rows, columns.count], `targetStride` apart, multiplied by `targetScale`.
  package var target: UnsafePointer<Float>
  package var targetStride: Int
  package var targetScale: Float
  /// The bias of these columns.
  package var bias: UnsafePointer<Float>?
  /// One for each group.
  package var weights: [Float]
  /// Multiplies all gradients.
  package var scale: Float
  package var squares: HostArray<Float>
  /// y − x̂, shaped like one plane.
  package var residual: HostArray<Float>?

  package init(
    planes: TrainingPlanes, columns: Range<Int>, target: UnsafePointer<Float>, targetStride: Int, targetScale: Float,
    bias: UnsafePointer<Float>?, weights: [Float], scale: Float, squares: HostArray<Float>,
    residual: HostArray<Float>? = nil
  ) {
    self.planes = planes
    self.columns = columns
    self.target = target
    self.targetStride = targetStride
    self.targetScale = targetScale
    self.bias = bias
    self.weights = weights
    self.scale = scale
    self.squares = squares
    self.residual = residual
  }
}

/// The arguments of `OptimizerOps.updateFeatures`; see `gs_train_rows` for the formulas.
package struct FeatureUpdate {
  package struct Gradients {
    package let encoder, encoderBias, logThreshold, decoder: HostArray<Float>

    package init(width: Int, inputs: Int, outputs: Int) throws {
      encoder = try HostArray(width * inputs)
      encoderBias = try HostArray(width)
      logThreshold = try HostArray(width)
      decoder = try HostArray(width * outputs)
    }
  }

  package var width: Int
  package var inputs: Int
  package var columns: Range<Int>
  /// Nil with `products`.
  package var pairs: PairColumns?
  package var products: FeatureProducts?
  package var aux: PairColumns?
  package var x: HostArray<Float>
  package var gradient: TrainingPlanes
  package var groupEnds: [Int32]
  package var auxGradient: TrainingPlanes?
  /// With it, pairs at or below it are inactive and the straight-through terms apply.
  package var threshold: HostArray<Float>?
  package var bandwidth: Float
  package var slope: HostArray<Float>
  package var frequency: Float
  package var frequencyScale: Float
  package var encoder, encoderBias, logThreshold, decoder: AdamParameter
  package var lastStep: HostArray<Int32>
  package var adam: AdamStep
  /// Multiply the learning rate of the encoder's biases and of the thresholds.
  package var biasRate, thresholdRate: Float
  package var active: HostArray<Int32>
  /// [⌈width / pullBlock⌉, inputs].
  package var pull: HostArray<Float>?
  package var norms: HostArray<Float>
  /// Where gradients go instead of an update.
  package var gradients: Gradients?

  /// Features whose pull is summed in one row.
  package static let pullBlock = 32

  package init(
    width: Int, inputs: Int, columns: Range<Int>, pairs: PairColumns?, products: FeatureProducts?, aux: PairColumns?,
    x: HostArray<Float>,
    gradient: TrainingPlanes, groupEnds: [Int32], auxGradient: TrainingPlanes?, threshold: HostArray<Float>?,
    bandwidth: Float, slope: HostArray<Float>, frequency: Float, frequencyScale: Float, encoder: AdamParameter,
    encoderBias: AdamParameter, logThreshold: AdamParameter, decoder: AdamParameter, lastStep: HostArray<Int32>,
    adam: AdamStep, biasRate: Float, thresholdRate: Float, active: HostArray<Int32>, pull: HostArray<Float>?, norms: HostArray<Float>,
    gradients: Gradients?
  ) {
    self.width = width
    self.inputs = inputs
    self.columns = columns
    self.pairs = pairs
    self.products = products
    self.aux = aux
    self.x = x
    self.gradient = gradient
    self.groupEnds = groupEnds
    self.auxGradient = auxGradient
    self.threshold = threshold
    self.bandwidth = bandwidth
    self.slope = slope
    self.frequency = frequency
    self.frequencyScale = frequencyScale
    self.encoder = encoder
    self.encoderBias = encoderBias
    self.logThreshold = logThreshold
    self.decoder = decoder
    self.lastStep = lastStep
    self.adam = adam
    self.biasRate = biasRate
    self.thresholdRate = thresholdRate
    self.active = active
    self.pull = pull
    self.norms = norms
    self.gradients = gradients
  }
}
