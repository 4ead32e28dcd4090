import Checkpoints
public import Dictionaries
public import Foundation
import GRDB
public import Gemma
import Sites
import Tensors
public import Tokenization

/// Makes an atlas of what others have published of a dictionary: rates, largest examples and logit tables, without a
/// pass of the model. Counts, quantiles and samples of smaller activations are not in such files and stay unknown.
public struct AtlasImporter {
  private let examples: PublishedExamples
  private let dictionary: SparseDictionary
  private let model: GemmaModel
  private let identity: AtlasModel
  private let tokenizer: GemmaTokenizer
  private let source: URL
  /// How the file's logit tables were made (docs/atlas.md).
  private let convention: LogitConvention

  /// Examples kept of a feature.
  static let examplesKept = 24
  static let (before, after) = (24, 8)

  /// - Parameter source: an `examples.safetensors` of `dictionary`.
  /// - Throws: `AtlasError.file` for a file that does not fit the dictionary or, going by its logit tables, the model;
  ///   `AtlasError.option` for a dictionary of several layers.
  public init(
    _ source: URL, dictionary: SparseDictionary, model: GemmaModel, _ identity: AtlasModel, tokenizer: GemmaTokenizer
  ) throws {
    guard !dictionary.shape.isMultiLayer else {
      throw AtlasError.option(
        name: "dictionary", reason: "'\(dictionary.name)' reads several layers; examples.safetensors is for one")
    }
    try dictionary.fits(model.shape, modelName: identity.name)
    let found = try PublishedExamples(contentsOf: source)
    guard found.features == dictionary.shape.width else {
      throw AtlasError.file(
        path: source.path, reason: "has \(found.features) features, the dictionary \(dictionary.shape.width)")
    }
    (examples, self.source, self.dictionary, self.model) = (found, source, dictionary, model)
    (self.identity, self.tokenizer) = (identity, tokenizer)
    var stored: [(feature: Int, tokens: [Int32])] = []
    let step = max(1, found.features / LogitConvention.features)
    for feature in stride(from: 0, to: found.features, by: step) where stored.count < LogitConvention.features {
      guard let logits = try found.logits(of: feature), try !found.entries(of: feature).isEmpty else { continue }
      stored.append((feature, Array(logits.topTokens.prefix(LogitTable.entries))))
    }
    convention = try LogitConvention(
      stored, directions: FeatureDirections(dictionary: dictionary, model: model), model: model)
    guard convention.fits else {
      throw AtlasError.file(
        path: source.path,
        reason:
          "its top_tokens are not those that '\(dictionary.name)' raises in this model "
          + "(\(Int(convention.gain * 100)) % agree): another model, dictionary or tokenizer")
    }
  }

  /// Writes the atlas.
  /// - Throws: `AtlasError`, and what `check` throws.
  public func write(to url: URL, check: CancellationCheck = {}) throws {
    try AtlasFiles(url).write { db in
      try describe(db, hash: WeightHash.sha256(of: dictionary.weightFiles) { _ in try check() })
      try writeFeatures(db, check)
      try SearchText.fill(db, check: check)
      try db.execute(sql: Schema.indexes)
    }
  }

  private func describe(_ db: Database, hash: String) throws {
    let now = Date.now.ISO8601Format()
    for (key, value) in [
      ("schema", "\(Schema.version)"), ("state", "complete"), ("created", now), ("completed", now),
      ("model_name", identity.name), ("model_sha256", identity.sha256), ("context", "\(examples.context)"),
      ("tokenizer_sha256", BuildFingerprint.hash(tokenizer)), ("seed", "0"), ("examples", "\(Self.examplesKept)"),
      ("corpus", "{\"files\":[\(JSONText.quoted(source.lastPathComponent))]}"), ("sequences", "\(examples.sequences)"),
      ("window_before", "\(Self.before)"), ("window_after", "\(Self.after)"),
      (
        "import_conventions",
        "{\"logits\":\"\(convention.name)\",\"gain\":\(convention.gain),\"raw\":\(convention.raw),"
          + "\"features\":\(convention.features)}"
      ),
    ] { try AtlasBuilder.set(key, value, db) }
    let shape = dictionary.shape
    try db.execute(
      sql: """
        INSERT INTO dictionary(id, name, path, kind, reads, writes, width, d_in, d_out, weights_sha256, statistics,
          first_feature, features) VALUES (0, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'published', 0, ?)
        """,
      arguments: [
        dictionary.name, dictionary.url.relativePath, shape.kind.rawValue, "[\"\(shape.reads[0])\"]",
        "[\"\(shape.writes[0])\"]", shape.width, shape.inputWidth, shape.outputWidth, hash, shape.width,
      ])
  }

  private func writeFeatures(_ db: Database, _ check: CancellationCheck) throws {
    let examples = examples
    let writer = try FeatureWriter(db, seed: 0, tokenizer: tokenizer) {
      SequenceStore.Sequence(tokens: try examples.tokens(of: $0), scales: [])
    }
    let prefixes = Matryoshka.prefixes(of: dictionary)
    for (feature, rate) in try examples.frequencies().enumerated() {
      try check()
      let entries = try examples.entries(of: feature)
      let best = entries.first
      try db.cachedStatement(
        sql: """
          INSERT INTO feature(id, dictionary_id, read, idx, rate, max, max_sequence, max_position, prefix)
          VALUES (?, 0, 0, ?, ?, ?, ?, ?, ?)
          """
      ).execute(arguments: [
        feature, feature, rate, best.map { Double($0.activation) }, best?.sequence, best?.position,
        prefixes?.first { $0 > feature },
      ])
      var seen: Set<Int> = []
      let top = entries.filter { seen.insert($0.sequence).inserted }.prefix(Self.examplesKept)
      for (rank, entry) in top.enumerated() {
        let (example, effects) = try window(around: entry, entries)
        try writer.write(example, feature: feature, bin: -1, rank: rank, effects: effects, isPartial: true)
      }
      guard !entries.isEmpty, let logits = try examples.logits(of: feature) else { continue }
      func list(_ tokens: [Int32], _ values: [Float]) -> [LogitTable.Entry] {
        zip(tokens, values).prefix(LogitTable.entries).map { LogitTable.Entry(token: $0, value: $1) }
      }
      try writer.write(
        top: list(logits.topTokens, logits.topValues), bottom: list(logits.bottomTokens, logits.bottomValues),
        histogram: nil, feature: feature)
    }
  }

  /// The window of an entry, with the other entries of the feature that lie in it.
  private func window(
    around entry: PublishedExamples.Entry, _ entries: [PublishedExamples.Entry]
  ) throws -> (KeptExample, [Float?]) {
    let tokens = try examples.tokens(of: entry.sequence)
    func ends(_ position: Int) -> Bool { tokens[position] == tokenizer.bos || tokens[position] == tokenizer.pad }
    var (start, end) = (entry.position, entry.position + 1)
    while start > 0, entry.position - start < Self.before, !ends(start - 1) { start -= 1 }
    while end < tokens.count, end - entry.position <= Self.after, !ends(end) { end += 1 }
    let inside = entries.filter { $0.sequence == entry.sequence && start..<end ~= $0.position }
      .sorted { $0.position < $1.position }
    let example = KeptExample(
      activation: entry.activation, sequence: Int32(entry.sequence), position: Int32(entry.position),
      start: Int32(start), length: Int32(end - start),
      active: inside.map { KeptExample.Active(offset: UInt8(clamping: $0.position - start), activation: $0.activation) }
    )
    return (example, inside.map { $0.position + 1 < tokens.count ? $0.effect : nil })
  }
}
