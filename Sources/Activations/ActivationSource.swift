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
  /// For each site [count, width], f32.
  public let tensors: [Tensor]
  /// The ids of the tokens, [count].
  public let tokens: [Int32]

  public init(index: Int, count: Int, tensors: [Tensor], tokens: [Int32]) {
    self.index = index
    self.count = count
    self.tensors = tensors
    self.tokens = tokens
  }
}

/// Where a stream of activations stands, before its next window; saved with every checkpoint.
public struct StreamState: Codable, Equatable, Sendable {
  /// The next window.
  public var windowIndex: Int
  /// Sequences of the corpus that earlier windows have begun with, or shards of a store passed.
  public var sequence: Int
  /// Rows of that sequence (after dropping special tokens) which an earlier window took.
  public var row: Int
  /// Where in the corpus that sequence begins.
  public var cursor: CorpusCursor

  public init(windowIndex: Int = 0, sequence: Int = 0, row: Int = 0, cursor: CorpusCursor = CorpusCursor()) {
    self.windowIndex = windowIndex
    self.sequence = sequence
    self.row = row
    self.cursor = cursor
  }
}

/// A place between two sequences of a packed corpus: in document `document` of file `file`, before its token `token`.
public struct CorpusCursor: Codable, Equatable, Sendable {
  /// Index into the sorted list of files.
  public var file: Int
  /// Ordinal of the document within the file.
  public var document: Int
  /// Tokens of that document already used.
  public var token: Int

  public init(file: Int = 0, document: Int = 0, token: Int = 0) {
    self.file = file
    self.document = document
    self.token = token
  }
}
