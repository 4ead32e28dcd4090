public import Sites
public import Tensors

/// A stream of activations at one or several sites of a model, shuffled token by token within windows of fixed memory.
///
/// ```swift
/// while let window = try source.nextWindow() {
///   for (site, rows) in zip(source.sites, window.tensors) { … }  // rows [window.count, width of site]
/// }
/// ```
///
/// What window `k` holds and its order are a pure function of what is streamed and of (seed, k), so a stream taken up
/// again at a saved `state` repeats at most one window, bit for bit.
public protocol ActivationSource: AnyObject {
  /// The sites streamed, in the order of `ActivationWindow.tensors`.
  var sites: [Site] { get }
  /// Width of each site.
  var widths: [Int] { get }
  /// Position before the next window.
  var state: StreamState { get }
  /// The next window of shuffled rows; nil at the end.
  func nextWindow() throws -> ActivationWindow?
  /// Goes to a position saved from `state` of a source made alike.
  /// - Throws: `ActivationError` when the state cannot be of this stream.
  func restore(_ state: StreamState) throws
}

/// Shuffled rows of every site; row `i` of each tensor belongs to the same token.
public struct ActivationWindow: Sendable {
  /// Counts windows from 0.
  public let index: Int
  /// Rows.
  public let count: Int
  /// For each site [count, width]: f32, or bf16 where the source was asked to hold that (`WindowOptions.storage`).
  public let tensors: [Tensor]
  /// The ids of the tokens, [count].
  public let tokens: [Int32]

  public init(index: Int, count: Int, tensors: [Tensor], tokens: [Int32]) {
    self.index = index
    self.count = count
    self.tensors = tensors
    self.tokens = tokens
  }

  /// Rows `range` of every site, always f32: without a copy where they are held so.
  /// - Throws: `TensorError.outOfRange`.
  public func rows(_ range: Range<Int>) throws -> [Tensor] {
    try tensors.map { tensor in
      let part = try tensor.rows(range)
      return part.dtype == .f32 ? part : try Tensor(try part.read(), shape: part.shape)
    }
  }
}

/// Where a stream of activations stands, before its next window; saved with every checkpoint.
public struct StreamState: Codable, Equatable, Sendable {
  /// The next window.
  public var windowIndex: Int
  /// Of a stream from the model: where the batch of sequences begins that holds the next row. Of a store: unused.
  public var sequences: SequenceCursor
  /// Rows of that batch (of a store: of all it holds) that earlier windows took.
  public var row: Int

  enum CodingKeys: String, CodingKey {
    case sequences, row
    case windowIndex = "window"
  }

  public init(windowIndex: Int = 0, sequences: SequenceCursor = SequenceCursor(), row: Int = 0) {
    self.windowIndex = windowIndex
    self.sequences = sequences
    self.row = row
  }
}
