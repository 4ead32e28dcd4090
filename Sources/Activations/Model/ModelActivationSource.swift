public import Gemma
public import Sites
import Tensors
public import Tokenization

/// Shuffled activations straight from the model: one pass over a corpus feeds any number of sites.
///
/// The pass stops after the last site. Rows of `<bos>`, padding and other special tokens are left out, and, where asked
/// for, outliers in norm. Nothing is written to disk; what is held is one batch and one window.
///
/// ```swift
/// let source = try ModelActivationSource(
///   model, tokenizer: tokenizer, corpus: try Corpus([folder]), sites: [.residPost(9), .mlpOut(9)])
/// ```
public final class ModelActivationSource: ActivationSource {
  public var sites: [Site] { stream.sites }
  public var widths: [Int] { stream.widths }
  /// Rows of activations that went into windows since the source was made or restored.
  public private(set) var rowsDelivered = 0

  private let stream: ActivationStream
  private let window: WindowOptions
  private var windowIndex = 0
  private var batch: ActivationBatch?
  /// Rows of `batch`, or of the one that follows when there is none, that are used.
  private var used = 0

  /// - Parameter check: called between layers; throws to stop.
  /// - Throws: `ActivationError`, `SiteError` for a site that the model lacks.
  public init(
    _ model: GemmaModel, tokenizer: GemmaTokenizer, corpus: Corpus, sites: [Site],
    options: HarvestOptions = HarvestOptions(), window: WindowOptions = WindowOptions(),
    check: @escaping CancellationCheck = {}
  ) throws {
    try window.validate()
    stream = try ActivationStream(
      model, tokenizer: tokenizer, corpus: corpus, sites: sites, options: options, check: check)
    self.window = window
  }

  public var state: StreamState {
    StreamState(windowIndex: windowIndex, sequences: batch?.start ?? stream.cursor, row: used)
  }

  public func restore(_ state: StreamState) throws {
    guard state.windowIndex >= 0, state.row >= 0 else { throw ActivationError.state(reason: "a negative count") }
    try stream.restore(state.sequences)
    windowIndex = state.windowIndex
    batch = nil
    used = state.row
    rowsDelivered = 0
  }

  /// When it throws, the stream stands where it stood before.
  public func nextWindow() throws -> ActivationWindow? {
    let before = state
    do {
      return try fillWindow()
    } catch {
      let delivered = rowsDelivered
      try? restore(before)
      rowsDelivered = delivered
      throw error
    }
  }

  private func fillWindow() throws -> ActivationWindow? {
    var builder = try WindowBuilder(windowIndex, widths: widths, options: window)
    while builder.room > 0 {
      guard let batch else {
        guard let next = try stream.next() else { break }
        guard used <= next.rows.count else {
          throw ActivationError.state(reason: "row \(used) of a batch of \(next.rows.count)")
        }
        batch = next
        continue
      }
      let end = min(batch.rows.count, used + builder.room)
      try builder.append(batch.tensors, rows: batch.rows[used..<end], tokens: batch.tokens[used..<end])
      used = end
      if used == batch.rows.count {
        self.batch = nil
        used = 0
      }
    }
    guard builder.count > 0 else { return nil }
    windowIndex += 1
    rowsDelivered += builder.count
    return try builder.finish()
  }
}
