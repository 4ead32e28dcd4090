/// Everything the model and the dictionaries ask of a machine. Code above this module never asks which one it is on.
///
/// All operations are synchronous and throw `TensorError`; results are new tensors. `x` arguments are fp32
/// activations; weights may be in any stored format. Rows are tokens of one or many sequences laid one after another.
public protocol Backend: DenseOps, AttentionOps, SparseOps {
  /// What it runs on, for people: "cpu (avx512, 2 threads)".
  var name: String { get }
}

/// Dense operations on rows of activations.
public protocol DenseOps: Sendable {
  /// fp32 values placed on the backend.
  func tensor(_ values: [Float], shape: [Int]) throws -> Tensor
  /// `weight` placed on the backend in its stored format (on the CPU: itself, still mapped).
  func upload(_ weight: Tensor) throws -> Tensor
  /// f32, f16, bf16, scaled int8 or a block format as fp32 (f64 and whole numbers are refused).
  func widen(_ x: Tensor) throws -> Tensor

  /// Row lookup: `out[i] = scale · table[ids[i]]`, `table` [n, d] → [ids.count, d].
  func gather(_ table: Tensor, rows ids: [Int32], scale: Float) throws -> Tensor
  /// The rows of fp32 `x` named by `rows`, in that order.
  func select(_ x: Tensor, rows: [Int]) throws -> Tensor
  /// Several fp32 tensors of equal row shape, one after another along the first axis.
  func concatenate(_ parts: [Tensor]) throws -> Tensor

  /// `x Wᵀ`: x [n, k], weight [m, k] (a Linear layer) → [n, m].
  func linear(_ x: Tensor, _ weight: Tensor) throws -> Tensor
  /// `x W`: x [n, k], weight [k, m] (a decoder, an affine skip; or the gradient of `linear`) → [n, m].
  func matmul(_ x: Tensor, _ weight: Tensor) throws -> Tensor

  /// `x + alpha · y`, same shapes.
  func add(_ x: Tensor, _ y: Tensor, scale alpha: Float) throws -> Tensor
  /// `x` with its rows `rows` replaced by the rows of `values` (in order).
  func replacing(_ x: Tensor, rows: [Int], with values: Tensor) throws -> Tensor

  /// `x · gain / √(mean(x²) + epsilon)` over the last axis of length `gain.count` (x may hold several such groups a
  /// row), plus `residual` when given. `gain` is already 1 + w. Zhang & Sennrich 2019, "Root Mean Square Layer
  /// Normalization", equation 4.
  func rmsNorm(_ x: Tensor, gain: Tensor, epsilon: Float, residual: Tensor?) throws -> Tensor
  /// Gradient of `rmsNorm` for a batch of cotangents: dy [B, n, d], x [n, d] → [B, n, d]. Frozen holds the
  /// denominator constant.
  func rmsNormVJP(_ dy: Tensor, x: Tensor, gain: Tensor, epsilon: Float, mode: GradientMode) throws -> Tensor

  /// Rotary position embedding (Su et al. 2021, "RoFormer", section 3.2, in the rotate-half order of coordinates) of
  /// every head; `angles` give cosine and sine per row. x [n, heads·head_dim].
  func rope(_ x: Tensor, headDimension: Int, angles: RotaryAngles, inverse: Bool) throws -> Tensor

  /// `(gelu_tanh(x·gateᵀ) ∘ (x·upᵀ)) · downᵀ`: x [n, d], gate and up [f, d], down [d, f] → [n, d].
  /// The tanh form of GELU: Hendrycks & Gimpel 2016, "Gaussian Error Linear Units", section 2.
  func gatedMLP(_ x: Tensor, gate: Tensor, up: Tensor, down: Tensor) throws -> Tensor
  /// Gradient of `gatedMLP` for a batch of cotangents: dy [B, n, d] → dx [B, n, d].
  func gatedMLPVJP(_ dy: Tensor, x: Tensor, gate: Tensor, up: Tensor, down: Tensor) throws -> Tensor

  /// log Σ exp of each row: x [n, v] → n numbers.
  func logSumExp(_ x: Tensor) throws -> [Float]
  /// KL(softmax p ‖ softmax q) of each row, in nats, and its gradient by q, softmax q − softmax p: p, q [n, v].
  func divergence(_ p: Tensor, _ q: Tensor) throws -> (values: [Double], gradient: Tensor)
  /// The values of `divergence` alone, where `logSumExp` of both is known already.
  func divergences(_ p: Tensor, _ q: Tensor, logSumExp: (p: [Float], q: [Float])) throws -> [Double]
  /// The `k` largest of each row in falling order, equal values by lower index first.
  func topK(_ x: Tensor, _ k: Int) throws -> [[(index: Int, value: Float)]]
  /// How the values of each row are spread: its `entries` largest and smallest, and a histogram of `bars` (at most 64).
  func spreads(_ x: Tensor, entries: Int, bars: Int) throws -> [RowSpread]
}

/// Whether nonlinear factors take part in a gradient.
public enum GradientMode: String, Sendable, Codable {
  /// The true gradient.
  case exact
  /// Attention patterns and normalisation denominators are held constant (the linearised model of attribution graphs).
  case frozen
}

/// Cosine and sine of the rotation of each row's pairs: both [n, head_dim / 2], fp32.
public struct RotaryAngles: Sendable {
  /// [n, head_dim / 2]
  public let cosines: Tensor
  /// [n, head_dim / 2]
  public let sines: Tensor

  /// Angles of n rows. Shapes are checked where they are used.
  public init(cosines: Tensor, sines: Tensor) {
    self.cosines = cosines
    self.sines = sines
  }
}
