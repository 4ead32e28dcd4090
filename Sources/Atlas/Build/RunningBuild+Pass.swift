import Activations
import Dictionaries
import Foundation
import GRDB
import Gemma
import Sites
import Tensors
import Tokenization

extension RunningBuild {
  /// Runs the model over what is left of the corpus.
  mutating func pass(_ report: (BuildProgress) throws -> Void) throws {
    if try isComplete || done("pass") == 1 { return }
    let packing = PackingOptions(context: options.context, tokenLimit: options.tokens)
    let packer = try SequencePacker(
      builder.corpus, tokenizer: builder.tokenizer, options: packing, at: state.cursor)
    try report(BuildProgress(stage: .pass, done: state.cursor.counted, total: options.tokens))
    var last = ContinuousClock.now
    while true {
      try builder.check()
      var batch: [PackedSequence] = []
      while batch.count < options.batch, let next = try packer.next() { batch.append(next) }
      if batch.isEmpty { break }
      try add(batch)
      state.cursor = packer.cursor
      try report(BuildProgress(stage: .pass, done: state.cursor.counted, total: options.tokens))
      if ContinuousClock.now - last >= .seconds(options.saveEvery) {
        try save()
        last = ContinuousClock.now
      }
    }
    for tally in state.tallies { tally.prune() }
    try save(isLast: true)
  }

  private var sites: Set<Site> {
    var sites = Set(builder.dictionaries.flatMap(\.shape.reads))
    for site in sites where site.kind == .attnOut { sites.insert(Self.input(ofLayer: site.layer)) }
    return sites.union(builder.attentionLayers.map { .attnOut($0) })
  }

  /// The residual stream that a layer reads.
  static func input(ofLayer layer: Int) -> Site { layer == 0 ? .embed : .residPost(layer - 1) }

  private mutating func add(_ batch: [PackedSequence]) throws {
    let result = try builder.model.forward(
      batch.map(\.tokens), capture: sites, logits: .residual, check: builder.check)
    let rows = BatchRows(
      batch.map { BatchRows.Sequence(index: $0.index, tokens: $0.tokens, counted: $0.counted) },
      begin: builder.tokenizer.bos, before: options.before, after: options.after)
    try keep(batch, result)
    state.pool.offer(rows, dictionaries: builder.dictionaries.map(\.shape.totalWidth))
    for (index, dictionary) in builder.dictionaries.enumerated() {
      try builder.check()
      let tally = state.tallies[index]
      let code = try dictionary.shape.reads.indices.map { read in
        try dictionary.encode(result.at(dictionary.shape.reads[read]), read: read)
      }
      try tally.add(code, of: rows, settings: options.tally)
      state.pool.add(rows, dictionary: index) { tally.active(code, $0) }
      if dictionary.shape.reads[0].kind == .attnOut { try attribute(dictionary, tally, batch, result) }
    }
  }

  /// Writes the tokens of a batch and the norms' denominators to the store.
  private func keep(_ batch: [PackedSequence], _ result: ForwardResult) throws {
    guard let residual = result.residual else {
      throw AtlasError.state(path: files.url.path, reason: "the pass gave no residual stream")
    }
    let scales =
      [try builder.model.finalNormScales(residual)]
      + (try builder.attentionLayers.map {
        try builder.model.attentionOutputScales(layer: $0, heads: result.at(.attnOut($0)))
      })
    for (sequence, segment) in zip(batch, result.rows.segments) {
      try store.write(
        .init(tokens: sequence.tokens, scales: scales.map { Array($0[segment]) }), at: sequence.index)
    }
  }

  /// Gives the batch's new examples of an attention dictionary the sources of their activations.
  private func attribute(
    _ dictionary: SparseDictionary, _ tally: DictionaryTally, _ batch: [PackedSequence], _ result: ForwardResult
  ) throws {
    let layer = dictionary.shape.reads[0].layer
    let bySequence = Dictionary(grouping: tally.unattributed) { Int($0.example.sequence) }
    let residual = try result.at(Self.input(ofLayer: layer))
    for (sequence, segment) in zip(batch, result.rows.segments) {
      guard let examples = bySequence[sequence.index] else { continue }
      try builder.check()
      let sources = try builder.model.attentionSources(layer: layer, residual: residual.rows(segment))
      let contributions = AttentionContributions(dictionary: dictionary, model: builder.model, sources: sources)
      tally.attribute(examples, try contributions(examples))
    }
  }
}

extension ForwardResult {
  /// - Throws: `SiteError` for a site that was not captured.
  func at(_ site: Site) throws -> Tensor {
    guard let tensor = activations[site] else { throw SiteError.layer(site: site, layers: 0) }
    return tensor
  }
}
