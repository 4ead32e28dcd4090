public import Sites

/// Dense probes for the first letters of words at a site, and what the site's own channels tell of them.
///
/// They are the ground truth of the task: a dictionary can only be asked for letters that are there to be found.
public struct LetterProbes: Sendable {
  /// What becomes of activations before a probe is trained on them.
  public enum Scaling: String, Sendable, CaseIterable {
    /// Nothing, as published. Adam's rate then stands for a step of unknown size: at Gemma's norms of thousands, one
    /// step moves a score by hundreds.
    case none
    /// One factor, so that E‖x‖² over training words is the number of channels.
    case unit
    /// The mean of training words is taken away, then one factor as before. Where most of an activation's length is the
    /// mean, little of the rest is left to be learned at `unit`.
    case centred
  }

  public let site: Site
  /// The mean activation of training words, [channels].
  public let mean: [Double]
  /// What was subtracted: `mean`, or zeros.
  public let origin: [Double]
  /// What the rest was multiplied by. A dictionary's activations are, too, before probes read them: results then do not
  /// depend on the unit of x.
  public let scale: Double
  /// 26 probes of (x − origin) · scale.
  public let probe: MultiProbe
  /// Scores of test words, [words, 26].
  public let logits: [Double]
  /// For each letter what its dense probe is worth on test words.
  public let dense: [DetectionScores]
  /// For each letter what probes of 1, 2 and 5 channels are worth, by their number. Channels are standardised and
  /// chosen as a dictionary's features are, by the magnitude of their weights.
  public let channels: [[Int: DetectionScores]]

  /// Trains the probes.
  /// - Parameters:
  ///   - options: of the dense probe; as published when nothing is said.
  ///   - check: called between epochs.
  /// - Throws: `EvaluationError.missing` for a site that was not measured or training words of which nothing can be
  ///   told (none, or all activations 0), and what `check` throws.
  public init(
    _ activations: LetterActivations, site: Site, scaling: Scaling = .unit,
    options: MultiProbe.Options = FirstLetterConstants.denseProbe, seed: UInt64, check: () throws -> Void = {}
  ) throws {
    let rows = try activations.at(site)
    let (training, test) = (try rows.selecting(activations.training), try rows.selecting(activations.test))
    let moments = Moments(training)
    let origin = scaling == .centred ? moments.mean : moments.mean.map { _ in 0 }
    let square = scaling == .centred ? moments.variances.reduce(0, +) : moments.meanSquare
    guard training.count > 0, square > 0, square.isFinite else {
      throw EvaluationError.missing(what: "training words with activations at \(site) that differ")
    }
    let scale = scaling == .none ? 1 : (Double(rows.width) / square).squareRoot()
    let letters = (
      training: activations.training.map { activations.letters[$0] },
      test: activations.test.map { activations.letters[$0] }
    )
    let probe = try MultiProbe.train(
      training.transformed(origin, [Double](repeating: scale, count: rows.width)), labels: letters.training,
      outputs: FirstLetterConstants.letters.count, options: options, seed: seed, check: check)
    let factors = moments.variances.map { $0 > 0 ? 1 / $0.squareRoot() : 0 }
    let channels = try SparseLetterProbes(
      training: training.transformed(moments.mean, factors), letters.training,
      test: test.transformed(moments.mean, factors), letters.test, sizes: FirstLetterConstants.sparseProbeSizes,
      choice: .largestMagnitude, seed: seed, check: check)
    try self.init(
      activations, site: site, mean: moments.mean, origin: origin, scale: scale, probe: probe,
      channels: channels.scores)
  }

  /// Probes that are known, such as a test's.
  package init(
    _ activations: LetterActivations, site: Site, mean: [Double], origin: [Double], scale: Double, probe: MultiProbe,
    channels: [[Int: DetectionScores]]
  ) throws {
    let test = try activations.at(site).selecting(activations.test)
    let logits = try probe.logits(test.transformed(origin, [Double](repeating: scale, count: test.width)))
    let letters = activations.test.map { activations.letters[$0] }
    dense = (0..<probe.outputs).map { letter in
      DetectionScores(
        stride(from: letter, to: logits.count, by: probe.outputs).map { logits[$0] },
        isPositive: letters.map { $0 == letter })
    }
    (self.site, self.mean, self.origin, self.scale) = (site, mean, origin, scale)
    (self.probe, self.logits, self.channels) = (probe, logits, channels)
  }

  /// The direction of a letter, of length 1; nil for a probe whose weights are all 0.
  public func direction(_ letter: Int) -> [Double]? {
    let weights = probe.weights(of: letter)
    let length = weights.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return length > 0 ? weights.map { $0 / length } : nil
  }

  /// Which letters count: those whose probe has an F1 above 0.6.
  public var countingLetters: [Int] { dense.indices.filter { Self.counts(dense[$0].f1) } }

  /// Whether absorption can be asked for at all: 20 letters must count.
  public var isApplicable: Bool { Self.isApplicable(dense.map(\.f1)) }

  /// Whether a letter of such an F1 counts: above 0.6, not at it.
  public static func counts(_ f1: Double?) -> Bool { (f1 ?? 0) > FirstLetterConstants.leastF1 }

  /// Whether enough letters count.
  public static func isApplicable(_ f1: [Double?]) -> Bool {
    f1.count(where: counts) >= FirstLetterConstants.leastLetters
  }
}

/// Mean and variances of channels.
private struct Moments {
  var mean: [Double]
  /// About the mean, over n.
  var variances: [Double]
  /// E‖x‖².
  var meanSquare: Double

  init(_ rows: LetterRows) {
    let n = Double(max(rows.count, 1))
    var (mean, squares) = ([Double](repeating: 0, count: rows.width), 0.0)
    for row in 0..<rows.count {
      rows.forEach(inRow: row) { channel, value in
        mean[channel] += value / n
        squares += value * value / n
      }
    }
    var variances = mean.map { _ in 0.0 }
    for row in 0..<rows.count {
      var values = [Double](repeating: 0, count: rows.width)
      rows.forEach(inRow: row) { values[$0] = $1 }
      for channel in values.indices {
        variances[channel] += (values[channel] - mean[channel]) * (values[channel] - mean[channel]) / n
      }
    }
    (self.mean, self.variances, meanSquare) = (mean, variances, squares)
  }
}

extension LetterRows {
  /// (x − origin) · factors, column by column, dense.
  fileprivate func transformed(_ origin: [Double], _ factors: [Double]) -> LetterRows {
    var values: [Float] = []
    values.reserveCapacity(count * width)
    for row in 0..<count {
      var dense = [Double](repeating: 0, count: width)
      forEach(inRow: row) { dense[$0] = $1 }
      for i in dense.indices { values.append(Float((dense[i] - origin[i]) * factors[i])) }
    }
    return .dense(values, width: width)
  }
}
