public import Dictionaries
public import Gemma
public import Tensors

/// Collects sequences and tells how well prefixes of a dictionary's features reconstruct.
///
/// ```swift
/// var measurement = try NestingMeasurement(dictionary, prefixes: [512, 2048], energies: energies)
/// for sequence in sequences { try measurement.add(code, inputs: inputs, targets: targets, rows: counted) }
/// print(measurement.result.prefixes[0].fvu.value)
/// ```
public struct NestingMeasurement: Sendable {
  /// Sums over the tokens of one sequence, after one step of an order.
  private struct Errors: Sendable {
    /// Σ‖x − x̂‖², Σ‖x̂‖², Σ x·x̂ over all writes.
    var errors = 0.0, outputs = 0.0, products = 0.0
  }

  /// One sequence.
  private struct Sums: Sendable {
    /// For each order and step.
    var steps: [[Errors]]
    /// Active pairs that each prefix adds.
    var active: [Int]
    /// For each write, what the variance is told from.
    var writes: [ReconstructionSums]

    var tokens: Int { writes.first?.tokens ?? 0 }
  }

  public let dictionary: SparseDictionary
  /// Features of each read in every prefix, ascending; the whole is the last.
  public let prefixes: [Int]
  /// The dictionary's own order, then the random ones, then that by energy.
  private let orders: [FeatureSteps]
  private let draws: Int
  private let hasEnergies: Bool
  private var density: FeatureDensity
  private var sequences: [Sums] = []
  /// For each write the first row counted.
  private var origins: [[Float]] = []

  /// - Parameters:
  ///   - prefixes: features of each read; order and repetitions do not matter, the whole dictionary is always added.
  ///   - energies: what each feature writes, found before; without them prefixes are not compared with the features
  ///     that write most.
  ///   - draws: orders drawn at random to compare with.
  ///   - seed: of the draws.
  /// - Throws: `EvaluationError.shape` for a prefix of no features or more than there are, and energies of another
  ///   dictionary.
  public init(
    _ dictionary: SparseDictionary, prefixes: [Int], energies: FeatureEnergy? = nil, draws: Int = 3, seed: UInt64 = 0
  ) throws {
    let (width, reads) = (dictionary.shape.width, dictionary.shape.reads.count)
    if let outside = prefixes.first(where: { !(1...width ~= $0) }) {
      throw EvaluationError.shape(
        what: "a prefix of \(dictionary.name)", expected: "1 to \(width) features", found: "\(outside)")
    }
    if let energies, energies.values.map(\.count) != [Int](repeating: width, count: reads) {
      throw EvaluationError.shape(
        what: "energies of \(dictionary.name)", expected: "\(reads) × \(width)",
        found: "\(energies.values.map(\.count))")
    }
    self.dictionary = dictionary
    self.prefixes = Set(prefixes).union([width]).sorted()
    self.draws = max(draws, 0)
    hasEnergies = energies != nil
    // All orders end with all features: only the first has to go that far.
    let sizes = Array(self.prefixes.dropLast())
    orders =
      [FeatureSteps(identity: width, reads: reads, sizes: self.prefixes)]
      + (0..<self.draws).map { FeatureSteps(shuffled: width, reads: reads, sizes: sizes, seed: seed, draw: $0) }
      + (energies.map { [FeatureSteps(falling: $0.values, sizes: sizes)] } ?? [])
    density = FeatureDensity(dictionary.shape)
  }

  /// Adds a sequence.
  /// - Parameters:
  ///   - inputs: what was encoded; needed by an affine dictionary.
  ///   - targets: what the dictionary should write, [tokens, outputWidth] for each write.
  ///   - rows: tokens that count, as their positions in the sequence.
  ///   - check: called before each decoding.
  /// - Throws: `EvaluationError.shape`, `DictionaryError`, `TensorError`, what `check` throws. Nothing is added then.
  public mutating func add(
    _ code: DictionaryCode, inputs: [Tensor]? = nil, targets: [Tensor], rows: [Int], check: CancellationCheck = {}
  ) throws {
    let shape = dictionary.shape
    guard targets.count == shape.writes.count,
      targets.allSatisfy({ $0.shape == [code.rows, shape.outputWidth] })
    else {
      throw EvaluationError.shape(
        what: "nesting", expected: "\(shape.writes.count) targets [\(code.rows), \(shape.outputWidth)]",
        found: "\(targets.map(\.shape))")
    }
    var density = density
    try density.add(code, rows: rows)
    guard !rows.isEmpty else { return }
    let x = try targets.map { try $0.read() }
    let width = shape.outputWidth
    let origins = origins.isEmpty ? x.map { Array($0[rows[0] * width..<(rows[0] + 1) * width]) } : origins
    // Biases and the affine part, which every prefix has.
    let empty = try DictionaryCode(code.layers.map { SparseCode(emptyRows: $0.rows) })
    let base = try dictionary.decode(empty, inputs: inputs).map { try $0.read() }

    var sums = Sums(steps: [], active: [], writes: shape.writes.map { _ in ReconstructionSums(width: width) })
    for (index, order) in orders.enumerated() {
      var made = base
      var steps: [Errors] = []
      for part in try order.parts(of: code) {
        try check()
        for (write, tensor) in try dictionary.contributions(of: part).enumerated() {
          let values = try tensor.read()
          for i in values.indices { made[write][i] += values[i] }
        }
        steps.append(Self.errors(x, made, rows: rows, width: width))
        if index == 0 { sums.active.append(rows.reduce(0) { $0 + part.activeCount(inRow: $1) }) }
      }
      sums.steps.append(steps)
      guard index == 0 else { continue }
      for write in shape.writes.indices {
        for row in rows { sums.writes[write].add(x[write], made[write], origin: origins[write], row: row) }
      }
    }
    (self.density, self.origins) = (density, origins)
    sequences.append(sums)
  }

  private static func errors(_ x: [[Float]], _ made: [[Float]], rows: [Int], width: Int) -> Errors {
    var sums = Errors()
    for (x, made) in zip(x, made) {
      for row in rows {
        for i in row * width..<(row + 1) * width {
          let (a, b) = (Double(x[i]), Double(made[i]))
          sums.errors += (a - b) * (a - b)
          sums.outputs += b * b
          sums.products += a * b
        }
      }
    }
    return sums
  }

  /// The figures over everything added so far.
  public var result: Nesting {
    let writes = dictionary.shape.writes.indices
    let means = writes.map { write in
      var all = ReconstructionSums(width: dictionary.shape.outputWidth)
      for sequence in sequences { all.add(sequence.writes[write]) }
      return all.meanShift
    }
    let variances = sequences.map { sums in writes.reduce(0) { $0 + sums.writes[$1].variance(about: means[$1]) } }
    return Nesting(
      tokens: density.tokens, sequences: sequences.count,
      prefixes: prefixes.indices.map { prefix($0, variances) })
  }

  private func prefix(_ step: Int, _ variances: [Double]) -> Nesting.Prefix {
    let last = prefixes.count - 1
    /// Squared errors of each sequence; with all features every order's are the same.
    func errors(_ order: Int, _ step: Int) -> [Double] {
      sequences.map { $0.steps[step == last ? 0 : order][step].errors }
    }
    let constant = variances.reduce(0, +) <= 0
    func fvu(_ order: Int) -> Estimate { constant ? Estimate(nil) : Estimate(errors(order, step), per: variances) }
    let active = sequences.map { Double($0.active[...step].reduce(0, +)) }
    let own = sequences.map { $0.steps[0][step] }
    let features = density.counts.map { $0.prefix(prefixes[step]) }
    let dead = features.reduce(0) { $0 + $1.count { $0 == 0 } }
    return Nesting.Prefix(
      features: prefixes[step], l0: Estimate(active, per: sequences.map { Double($0.tokens) }), fvu: fvu(0),
      reconstructionBias: Estimate(own.map(\.outputs), per: own.map(\.products)),
      deadShare: density.tokens > 0 ? Double(dead) / Double(features.reduce(0) { $0 + $1.count }) : nil,
      activityShare: Estimate(active, per: sequences.map { Double($0.active.reduce(0, +)) }),
      randomFVUs: (0..<draws).map { fvu(1 + $0) }, energyFVU: hasEnergies ? fvu(1 + draws) : nil,
      nestingGain: step == last
        ? Estimate(nil) : gain(errors(0, step), all: errors(0, last), random: { errors($0, step) }))
  }

  /// The variance cancels out of the gain: it is a ratio of differences of squared errors.
  private func gain(_ own: [Double], all: [Double], random: (Int) -> [Double]) -> Estimate {
    guard draws > 0 else { return Estimate(nil) }
    var mean = own.map { _ in 0.0 }
    for draw in 1...draws { mean = zip(mean, random(draw)).map { $0 + $1 / Double(draws) } }
    let possible = zip(mean, all).map { $0 - $1 }
    guard possible.reduce(0, +) > 0 else { return Estimate(nil) }
    return Estimate(zip(mean, own).map { $0 - $1 }, per: possible)
  }
}
