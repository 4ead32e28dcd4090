public import Activations
public import Dictionaries
public import Gemma
public import Sites
public import Tensors
public import Tokenization

/// What end-to-end training learns from: whole sequences of a corpus, a step's worth at a time, and what it does to the
/// model's predictions there when a site is replaced.
///
/// As an `ActivationSource` each window is one batch: the tokens that are not special of some sequences, in order. As a
/// `ReconstructionLoss` it puts a reconstruction of the last window in the place of the site's activations (special tokens
/// are left as they are), runs the model again and gives KL(p ‖ p̂), the mean over the window's tokens, of next-token
/// distributions without and with it, and its exact gradient.
public final class SequenceSource: ActivationSource, ReconstructionLoss {
  public let sites: [Site]
  public let widths: [Int]
  /// Sequences of a window.
  public let sequences: Int

  private let model: GemmaModel
  private let tokenizer: GemmaTokenizer
  private let corpus: Corpus
  private let packing: PackingOptions
  private let check: CancellationCheck
  private var packer: SequencePacker
  private var windowIndex = 0
  private let loss: PredictionLoss

  /// - Parameters:
  ///   - shape: of a dictionary with one written site.
  ///   - sequences: how many make up a batch.
  ///   - check: called between layers; throws to stop.
  /// - Throws: `ActivationError`, `SiteError`, `TrainingError.setting` for a multi-layer dictionary.
  public init(
    _ model: GemmaModel, tokenizer: GemmaTokenizer, corpus: Corpus, shape: DictionaryShape, packing: PackingOptions,
    sequences: Int, check: @escaping CancellationCheck = {}
  ) throws {
    guard let write = shape.writes.first, shape.writes.count == 1 else {
      throw TrainingError.setting(
        name: "end_to_end", expected: "a dictionary that writes one site", found: "\(shape.writes.count)")
    }
    guard sequences >= 1 else {
      throw TrainingError.setting(name: "sequences", expected: "a positive count", found: "\(sequences)")
    }
    guard packing.context <= model.configuration.maximumPositions else {
      throw ActivationError.option(
        name: "context",
        reason: "\(packing.context) tokens are more than the model's \(model.configuration.maximumPositions)")
    }
    sites = Set(shape.reads + shape.writes).sorted()
    for site in sites { try model.shape.validate(site) }
    widths = sites.map(model.shape.width(of:))
    self.model = model
    self.tokenizer = tokenizer
    self.corpus = corpus
    self.packing = packing
    loss = PredictionLoss(model, site: write, check: check)
    self.sequences = sequences
    self.check = check
    packer = try SequencePacker(corpus, tokenizer: tokenizer, options: packing)
  }

  // MARK: Activations

  public var state: StreamState { StreamState(windowIndex: windowIndex, sequences: packer.cursor) }

  public func restore(_ state: StreamState) throws {
    guard state.windowIndex >= 0, state.row == 0 else {
      throw ActivationError.state(reason: "not one of whole sequences")
    }
    packer = try SequencePacker(corpus, tokenizer: tokenizer, options: packing, at: state.sequences)
    windowIndex = state.windowIndex
    loss.passes = []
  }

  /// When it throws, the stream stands where it stood before.
  public func nextWindow() throws -> ActivationWindow? {
    let before = state
    do {
      return try readWindow()
    } catch {
      try? restore(before)
      throw error
    }
  }

  private func readWindow() throws -> ActivationWindow? {
    loss.passes = []
    var (passes, tokens): ([PredictionLoss.Pass], [Int32]) = ([], [])
    var parts: [[Tensor]] = sites.map { _ in [] }
    while passes.count < sequences, let sequence = try packer.next() {
      guard !sequence.counted.isEmpty else { continue }
      let result = try model.forward([sequence.tokens], capture: Set(sites), logits: .residual, check: check)
      for (index, site) in sites.enumerated() {
        guard let tensor = result.activations[site] else {
          throw SiteError.layer(site: site, layers: model.configuration.layers)
        }
        let rows = try model.backend.select(tensor, rows: sequence.counted)
        guard try rows.read().allSatisfy(\.isFinite) else {
          throw ActivationError.notFinite(site: "\(site)", sequence: sequence.index, position: sequence.counted[0])
        }
        parts[index].append(rows)
      }
      guard let residual = result.residual else { throw GemmaError.input("the model gave no residual stream") }
      passes.append(.init(tokens: sequence.tokens, rows: sequence.counted, residual: residual))
      tokens += sequence.counted.map { sequence.tokens[$0] }
    }
    guard !passes.isEmpty else { return nil }
    windowIndex += 1
    loss.passes = passes
    return ActivationWindow(
      index: windowIndex - 1, count: tokens.count, tensors: try parts.map(model.backend.concatenate), tokens: tokens)
  }

  // MARK: The loss

  public func evaluate(_ reconstruction: Tensor) throws -> (value: Double, gradient: Tensor) {
    try loss.evaluate(reconstruction)
  }
}
