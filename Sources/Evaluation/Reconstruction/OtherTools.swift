import Dictionaries
import Tensors

/// The figures that other tools print under the names of ours, by their formulas, where these differ. They depend on how
/// tokens are put into batches. b runs over batches of Nᵦ tokens, r = ‖x − x̂‖² over the tokens of one.
///
/// Read in SAELens 6.54.12 (`evals.py`), SAEBench 0.6.0 (`evals/core/main.py`) and dictionary_learning 0.1.0
/// (`evaluation.py`); `docs/metrics.md` says what is the matter with each.
public struct OtherToolsMetrics: Equatable, Sendable {
  /// SAELens and SAEBench, `explained_variance_legacy`: the mean over tokens of 1 − r / ‖x − x̄ᵦ‖².
  public let legacyExplainedVariance: Double?
  /// SAEBench's `explained_variance` (SAELens' up to 6.45.0): 1 − r̄ / (S̄ − m²), r̄ and S̄ the means over batches of the
  /// batches' mean r and mean ‖x‖², m the mean over batches and coordinates of the batches' mean x².
  public let saeBenchExplainedVariance: Double?
  /// SAEBench's `mse` (SAELens' up to 6.45.0): the mean over tokens of r / Nᵦ.
  public let saeBenchMSE: Double?
  /// SAELens, SAEBench and dictionary_learning: the mean over batches of Σ‖x̂‖² / Σ x·x̂.
  public let reconstructionBiasOfBatches: Double?
  /// dictionary_learning's `frac_variance_explained`: the mean over batches of 1 − Σ var(x − x̂) / Σ var(x), variances of
  /// each coordinate.
  public let fractionVarianceExplained: Double?
  /// dictionary_learning's `l2_loss`: the mean over batches of the mean ‖x − x̂‖.
  public let meanErrorLength: Double?
  /// Batches, and the tokens of a mean one.
  public let batches: Int
  public let tokensPerBatch: Double?

  /// Collects batches for one written site.
  public struct Accumulator: Sendable {
    private var tokens = 0
    private var batches = 0
    private var legacy = 0.0, lengths = 0.0, errors = 0.0, squares = 0.0, coordinates = 0.0, perToken = 0.0
    private var biases = 0.0, fractions = 0.0

    public init() {}

    /// Adds rows as one batch.
    /// - Parameters:
    ///   - x: activations, row by row, `width` numbers each.
    ///   - reconstruction: alike.
    public mutating func add(_ x: [Float], _ reconstruction: [Float], width: Int) {
      let count = width > 0 ? x.count / width : 0
      guard count > 0, reconstruction.count == x.count else { return }
      let n = Double(count)
      var (mean, errorMean) = ([Double](repeating: 0, count: width), [Double](repeating: 0, count: width))
      for i in x.indices {
        mean[i % width] += Double(x[i]) / n
        errorMean[i % width] += (Double(x[i]) - Double(reconstruction[i])) / n
      }
      var (batchErrors, batchSquares, outputs, products, spread, lengthSum) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
      for row in 0..<count {
        var (error, distance) = (0.0, 0.0)
        for i in 0..<width {
          let (a, b) = (Double(x[row * width + i]), Double(reconstruction[row * width + i]))
          error += (a - b) * (a - b)
          distance += (a - mean[i]) * (a - mean[i])
          batchSquares += a * a
          outputs += b * b
          products += a * b
        }
        legacy += 1 - error / distance
        lengthSum += error.squareRoot()
        batchErrors += error
        spread += distance
      }
      tokens += count
      batches += 1
      perToken += batchErrors / n
      errors += batchErrors / n
      squares += batchSquares / n
      coordinates += batchSquares / n / Double(width)
      biases += outputs / products
      lengths += lengthSum / n
      let constant = errorMean.reduce(0) { $0 + $1 * $1 } * n
      fractions += 1 - (batchErrors - constant) / spread
    }

    public var metrics: OtherToolsMetrics {
      func known(_ value: Double) -> Double? { value.isFinite ? value : nil }
      let count = Double(batches)
      let m = coordinates / count
      return OtherToolsMetrics(
        legacyExplainedVariance: known(legacy / Double(tokens)),
        saeBenchExplainedVariance: known(1 - (errors / count) / (squares / count - m * m)),
        saeBenchMSE: known(perToken / Double(tokens)), reconstructionBiasOfBatches: known(biases / count),
        fractionVarianceExplained: known(fractions / count), meanErrorLength: known(lengths / count),
        batches: batches, tokensPerBatch: known(Double(tokens) / count))
    }
  }
}
