public import Collectives
public import Gemma
public import Sites
import Tensors
public import Tokenization

/// Shuffled activations straight from the model: one pass over a corpus feeds any number of sites.
///
/// The pass stops after the last site. Rows of `<bos>`, padding and other special tokens are left out, and, where asked
/// for, outliers in norm. Nothing is written to disk; what is held is one batch and one window. The ranks of a job share the
/// pass, and all get the same windows, those of one rank.
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
  private let batches: DealtBatches
  private let communicator: any Communicator
  private let window: WindowOptions
  private var windowIndex = 0
  /// Rows of the next batch that are used.
  private var used = 0

  /// - Parameters:
  ///   - communicator: of ranks that all make this source alike and ask for windows together; on several, what stops one
  ///     stops all with `CollectivesError.failed`.
  ///   - check: called between layers; throws to stop.
  /// - Throws: `ActivationError`, `SiteError` for a site that the model lacks.
  public init(
    _ model: GemmaModel, tokenizer: GemmaTokenizer, corpus: Corpus, sites: [Site],
    options: HarvestOptions = HarvestOptions(), window: WindowOptions = WindowOptions(),
    communicator: any Communicator = SingleRank(), check: @escaping CancellationCheck = {}
  ) throws {
    try window.validate()
    stream = try ActivationStream(
      model, tokenizer: tokenizer, corpus: corpus, sites: sites, options: options, check: check)
    batches = DealtBatches(stream, communicator: communicator)
    self.communicator = communicator
    self.window = window
  }

  public var state: StreamState {
    StreamState(windowIndex: windowIndex, sequences: batches.cursor, row: used)
  }

  public func restore(_ state: StreamState) throws {
    guard state.windowIndex >= 0, state.row >= 0 else { throw ActivationError.state(reason: "a negative count") }
    try batches.restore(state.sequences)
    windowIndex = state.windowIndex
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
    var builder = try communicator.together { try WindowBuilder(windowIndex, widths: widths, options: window) }
    while builder.room > 0, let batch = try batches.first() {
      guard used <= batch.tokens.count else {
        throw ActivationError.state(reason: "row \(used) of a batch of \(batch.tokens.count)")
      }
      let end = min(batch.tokens.count, used + builder.room)
      try batches.append(used..<end, to: &builder)
      used = end
      if used == batch.tokens.count {
        batches.dropFirst()
        used = 0
      }
    }
    guard builder.count > 0 else { return nil }
    windowIndex += 1
    rowsDelivered += builder.count
    return try builder.finish()
  }
}
