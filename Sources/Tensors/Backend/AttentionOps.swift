/// The fixed sizes of an attention layer.
public struct AttentionShape: Sendable, Equatable {
  /// Heads of queries, and of the output.
  public var queryHeads: Int
  /// Divides `queryHeads`; query head h reads key and value head h / (queryHeads / keyValueHeads).
  public var keyValueHeads: Int
  /// Length of one head's query, key and value.
  public var headDimension: Int
  /// A query sees this many positions, itself included; nil for all before it.
  public var window: Int?
  /// Multiplies q·k.
  public var scale: Float

  /// Sizes as given; an operation refuses those that do not fit one another.
  public init(queryHeads: Int, keyValueHeads: Int, headDimension: Int, window: Int?, scale: Float) {
    self.queryHeads = queryHeads
    self.keyValueHeads = keyValueHeads
    self.headDimension = headDimension
    self.window = window
    self.scale = scale
  }
}

/// The keys and values of one sequence in one layer, kept between steps. Not `Sendable`: it belongs to one session.
public protocol KeyValueCache: AnyObject {
  /// Positions seen so far, including those a sliding window has dropped.
  var count: Int { get }
  /// Bytes held.
  var byteCount: Int { get }
  /// Forgets everything from position `count` on.
  /// - Throws: `TensorError.outOfRange` when `count` lies ahead, `TensorError.dropped` when positions that the window
  /// has
  ///   dropped would be needed again.
  func truncate(to count: Int) throws
}

/// Causal attention over rows of several sequences (`segments`: their row ranges, in order). Scores are not kept: the
/// softmax is computed in one pass over the keys (Milakov & Gimelshein 2018, "Online normalizer calculation for
/// softmax").
public protocol AttentionOps: Sendable {
  /// An empty cache for layers of `shape`.
  /// - Throws: `TensorError.shape` for sizes that are not positive or do not divide.
  func makeCache(_ shape: AttentionShape) throws -> any KeyValueCache

  /// q [n, queryHeads·headDimension], k and v [n, keyValueHeads·headDimension] → [n, queryHeads·headDimension]. With
  /// `caches` (one a segment) the new keys and values are appended first and the queries see what is there; without,
  /// every segment starts at position 0. A cache belongs to one sequence and to layers of the shape it was made for;
  /// when one does not fit, none of them is changed.
  func attention(
    q: Tensor, k: Tensor, v: Tensor, segments: [Range<Int>], caches: [any KeyValueCache]?, shape: AttentionShape
  ) throws -> Tensor

  /// The softmax weights of one sequence: [queryHeads, n, n], zero where a key is not visible.
  func attentionPattern(q: Tensor, k: Tensor, shape: AttentionShape) throws -> Tensor

  /// Gradient of one sequence's attention for a batch of cotangents: dOut [B, n, queryHeads·headDimension] → gradients
  /// of q, k, v, each [B, n, …]. In frozen mode the pattern is constant, so dq and dk are nil.
  func attentionVJP(dOut: Tensor, q: Tensor, k: Tensor, v: Tensor, shape: AttentionShape, mode: GradientMode) throws
    -> (dq: Tensor?, dk: Tensor?, dv: Tensor)
}
