import Checkpoints
public import Foundation
import GRDB
import Sites

extension Atlas {
  /// Writes a packed atlas: a small file that `PackedAtlas` expands again, with the model and the dictionaries, in
  /// seconds. What numbers lose is told in docs/atlas.md and in `meta` of the expanded atlas.
  /// - Returns: the bytes of each part of the file, by name.
  /// - Throws: `AtlasError.option` for an atlas of published statistics, or one that was itself packed; `.unfinished`;
  ///   `.file`; `CheckpointError` for a disk that cannot be written; what `check` throws.
  @discardableResult
  public func pack(
    to url: URL, options: PackedOptions = PackedOptions(), check: () throws -> Void = {}
  ) throws -> [(part: String, bytes: Int)] {
    try options.validate()
    if case .building(let tokens, let planned) = state {
      throw AtlasError.unfinished(path: self.url.path, tokens: tokens, of: planned)
    }
    if try meta("packed") != nil {
      throw AtlasError.option(name: "atlas", reason: "was packed before; pass on the file it was made from")
    }
    guard Int(try meta("tokens") ?? "") ?? 0 > 0 else {
      throw AtlasError.option(name: "atlas", reason: "has counted no tokens: there is nothing to pass on")
    }
    let contents = try read { try PackedContents($0, self, options, check) }
    let parts = try PackedContainer.parts(of: contents.columns(), file: url.path)
    try AtomicFile.write(PackedContainer.join(parts), to: url)
    return PackedColumn.allCases.map { column in
      let planes = ColumnWriter.place(column, 0)..<ColumnWriter.place(column, 0) + ColumnWriter.planes
      return ("\(column)", parts.reduce(0) { planes.contains($1.place) ? $0 + $1.packed.count : $0 })
    }
  }
}

extension PackedContents {
  /// Reads an atlas.
  fileprivate init(
    _ db: Database, _ atlas: Atlas, _ options: PackedOptions, _ check: () throws -> Void
  ) throws {
    bars = options.bars
    let left = ["state", "fingerprint", "scales", "schema"]
    meta = try Row.fetchAll(db, sql: "SELECT key, value FROM meta ORDER BY key").map {
      [$0["key"] as String, $0["value"] as String]
    }
    .filter { !left.contains($0[0]) }
    for dictionary in atlas.dictionaries { dictionaries.append(try Self.dictionary(dictionary, db, meta)) }
    var places: [Int: Int] = [:]
    try readSequences(db, options, atlas, &places)
    var sequenceScales = try SequenceScales(db)
    for (dictionary, entry) in zip(atlas.dictionaries, dictionaries) {
      let ids = dictionary.firstFeature..<dictionary.firstFeature + dictionary.features
      for row in try Row.fetchAll(
        db, sql: "SELECT * FROM feature WHERE id BETWEEN ? AND ? ORDER BY id",
        arguments: [ids.lowerBound, ids.upperBound - 1])
      {
        try check()
        features.append(try Self.feature(row, dictionary, entry, options, places, sequences, &sequenceScales, db))
      }
    }
    try readPool(db, options, places, atlas)
    if options.labels { try readLabels(db) }
  }

  private static func dictionary(_ item: AtlasDictionary, _ db: Database, _ meta: [[String]]) throws -> Dictionary {
    guard let row = try Row.fetchOne(db, sql: "SELECT * FROM dictionary WHERE id = ?", arguments: [item.id]),
      row["statistics"] as String == "measured"
    else {
      throw AtlasError.option(
        name: "atlas", reason: "'\(item.name)' has published statistics; pass on the file they were taken from")
    }
    return Dictionary(
      name: item.name, kind: item.kind, reads: row["reads"], writes: row["writes"], width: item.width,
      inputWidth: row["d_in"], outputWidth: row["d_out"], sha256: item.sha256, l0: item.l0, card: row["card"],
      prefixes: row["prefixes"], features: item.features, isAttention: item.writes.last?.kind == .attnOut,
      isSampled: meta.contains { $0[0] == "coactive_tokens \(item.id)" })
  }

  /// Takes the sequences that what is packed refers to.
  private mutating func readSequences(
    _ db: Database, _ options: PackedOptions, _ atlas: Atlas, _ places: inout [Int: Int]
  ) throws {
    let ids = try Int.fetchAll(
      db,
      sql: """
        SELECT sequence_id FROM example WHERE rank < (CASE bin WHEN -1 THEN ? ELSE ? END)
        UNION SELECT sequence_id FROM (SELECT sequence_id, row_number() OVER (PARTITION BY split ORDER BY id) AS place
          FROM pool_window) WHERE place <= ? ORDER BY sequence_id
        """, arguments: [options.top, options.perInterval, options.pool])
    for id in ids {
      let row = try Row.fetchOne(db, sql: "SELECT tokens, scales FROM sequence WHERE id = ?", arguments: [id])
      let tokens = try Blob.integers((row?["tokens"] as Data?) ?? Data(), Int32.self, "sequence.tokens")
      let scales = try Blob.floats((row?["scales"] as Data?) ?? Data(), "sequence.scales")
      guard !tokens.isEmpty, scales.count >= tokens.count else {
        throw AtlasError.file(path: atlas.url.path, reason: "sequence \(id) lacks its tokens or scales")
      }
      places[id] = sequences.count
      sequences.append(
        Sequence(number: id, tokens: tokens, scales: scales.prefix(tokens.count).map(PackedNumber.coarse)))
    }
  }

  private static func feature(
    _ row: Row, _ dictionary: AtlasDictionary, _ entry: Dictionary, _ options: PackedOptions, _ places: [Int: Int],
    _ sequences: [Sequence], _ scales: inout SequenceScales, _ db: Database
  ) throws -> Feature {
    var feature = Feature()
    let id: Int = row["id"]
    guard let count = row["count"] as Int?, count > 0 else { return feature }
    guard let sketch = ActivationSketch(encoded: (row["sketch"] as Data?) ?? Data()), sketch.count == count else {
      throw AtlasError.file(path: "feature.sketch", reason: "that of feature \(id) counts other than \(count)")
    }
    feature.sequences = (row["sequences"] as Int?) ?? 0
    feature.mean = PackedNumber.fine(Float((row["mean"] as Double?) ?? 0))
    feature.sketch = sketch
    feature.quantiles = FeatureWriter.quantiles.compactMap { sketch.bucket(atQuantile: $0) }
    feature.intervals = sketch.intervals
    if let table = try Row.fetchOne(
      db.cachedStatement(sql: "SELECT top_tokens, bottom_tokens FROM logits WHERE feature_id = ?"), arguments: [id])
    {
      feature.raised = Array(try Blob.integers(table["top_tokens"], Int32.self, "top_tokens").prefix(options.logits))
      feature.lowered = Array(
        try Blob.integers(table["bottom_tokens"], Int32.self, "bottom_tokens").prefix(options.logits))
    }
    let rows = try Row.fetchAll(
      db.cachedStatement(sql: "SELECT * FROM example WHERE feature_id = ? ORDER BY bin, rank"), arguments: [id])
    for row in rows {
      let (bin, rank): (Int, Int) = (row["bin"], row["rank"])
      guard rank < (bin < 0 ? options.top : options.perInterval), let sequence = places[row["sequence_id"] as Int]
      else {
        continue
      }
      feature.examples.append(
        try example(row, sequence, of: sequences[sequence].tokens.count, entry, dictionary, &scales))
    }
    let partners = try Row.fetchAll(
      db.cachedStatement(
        sql: "SELECT other_id, value, tokens FROM neighbour WHERE feature_id = ? AND kind = 1 ORDER BY rank"),
      arguments: [id])
    feature.coactive = partners.prefix(options.coactive).map {
      Partner(
        feature: ($0["other_id"] as Int) &- dictionary.firstFeature, tokens: ($0["tokens"] as Int?) ?? 0,
        value: entry.isSampled ? Float($0["value"] as Double) : nil)
    }
    return feature
  }

  private static func example(
    _ row: Row, _ sequence: Int, of tokens: Int, _ entry: Dictionary, _ dictionary: AtlasDictionary,
    _ scales: inout SequenceScales
  ) throws -> Example {
    let (start, length, position): (Int, Int, Int) = (row["start"], row["length"], row["position"])
    guard 0...tokens ~= start, 0...tokens - start ~= length, 0..<tokens ~= position else {
      throw AtlasError.file(
        path: "example.start", reason: "position \(position) and a window of \(length) at \(start) of \(tokens) tokens")
    }
    var example = Example(
      bin: row["bin"], sequence: sequence, position: position,
      activation: PackedNumber.fine(Float(row["activation"] as Double)), start: start, length: length)
    example.active = try ActiveBlob.decode(row["active"]).map { token in
      Active(
        offset: token.offset, strength: PackedNumber.rough(token.activation),
        scale: entry.isAttention
          ? PackedNumber.coarse(
            try scales.scale(
              of: row["sequence_id"], at: start + token.offset, layer: dictionary.writes.last?.layer ?? 0))
          : 0)
    }
    guard entry.isAttention, let blob = row["sources"] as Data? else { return example }
    let sources = try SourcesBlob.decode(blob, length: length)
    let inside = sources.window + [sources.begin, sources.elsewhere]
    let largest = (inside + sources.outside.map(\.value)).reduce(0) { max($0, abs($1)) }
    let scale = PackedNumber.fine(largest)
    func rounded(_ value: Float) -> Int8 {
      let steps = (value / PackedNumber.fine(scale) * 127).rounded()
      return steps.isFinite ? Int8(max(-127, min(127, steps))) : 0
    }
    example.sources = Sources(
      scale: scale, values: inside.map(rounded),
      outside: sources.outside.map { Outside(position: Int($0.position), value: rounded($0.value)) })
    return example
  }

  private mutating func readPool(
    _ db: Database, _ options: PackedOptions, _ places: [Int: Int], _ atlas: Atlas
  ) throws {
    var taken = [0: 0, 1: 0]
    var kept: [Int] = []
    for row in try Row.fetchAll(db, sql: "SELECT * FROM pool_window ORDER BY id") {
      let split: Int = row["split"]
      guard taken[split, default: 0] < options.pool, let sequence = places[row["sequence_id"] as Int] else { continue }
      taken[split, default: 0] += 1
      kept.append(row["id"])
      pool.append(Window(sequence: sequence, start: row["start"]))
    }
    guard !pool.isEmpty else { return }
    poolBits = features.map { _ in [UInt8](repeating: 0, count: (pool.count + 7) / 8) }
    for (place, window) in kept.enumerated() {
      for row in try Row.fetchAll(
        db.cachedStatement(sql: "SELECT dictionary_id, bits FROM pool_active WHERE window_id = ?"), arguments: [window])
      {
        let (id, bits): (Int, Data) = (row["dictionary_id"], row["bits"])
        guard let dictionary = atlas.dictionaries.first(where: { $0.id == id }) else { continue }
        let bytes = [UInt8](bits)
        for feature in 0..<min(dictionary.features, 8 * bytes.count)
        where bytes[feature / 8] & (1 << UInt8(feature % 8)) != 0 {
          poolBits[dictionary.firstFeature + feature][place / 8] |= 1 << UInt8(place % 8)
        }
      }
    }
  }

  private mutating func readLabels(_ db: Database) throws {
    labels = try Row.fetchAll(db, sql: "SELECT * FROM explanation ORDER BY id").map { row in
      guard features.indices ~= row["feature_id"] else {
        throw AtlasError.file(path: "explanation.feature_id", reason: "no feature \(row["feature_id"] as Int)")
      }
      let scores = try Row.fetchAll(
        db.cachedStatement(sql: "SELECT * FROM score WHERE explanation_id = ? ORDER BY test, judge"),
        arguments: [row["id"] as Int])
      let (text, raised) = try shortened(row["text"], feature: row["feature_id"], db)
      return Label(
        feature: row["feature_id"], author: row["author"], method: row["method"], text: text, raised: raised,
        created: row["created"], prompt: row["prompt_sha256"],
        scores: scores.map { score in
          Score(
            test: score["test"], judge: score["judge"], reason: score["reason"], created: score["created"],
            balanced: score["balanced_accuracy"], hard: score["hard_accuracy"],
            counts: Self.countColumns.map { score[$0] as Int })
        })
    }
  }

  /// A label's text without what it says of raised tokens, which can be said again, and how many these are.
  private func shortened(_ text: String, feature: Int, _ db: Database) throws -> (String, Int) {
    let tokens = features[feature].raised.prefix(LexicalExplainer.mostRaised)
    let pieces = try tokens.compactMap {
      try String.fetchOne(db.cachedStatement(sql: "SELECT piece FROM token WHERE id = ?"), arguments: [Int($0)])
    }
    for count in (0..<pieces.count).reversed().map({ $0 + 1 }) {
      let end = Array(LexicalExplainer.raised(Array(pieces.prefix(count))).utf8)
      guard text.utf8.count >= end.count, text.utf8.suffix(end.count).elementsEqual(end) else { continue }
      return (String(decoding: text.utf8.dropLast(end.count), as: UTF8.self), count)
    }
    return (text, 0)
  }

  static let countColumns = ["tp", "fn", "tn", "fp", "refused", "malformed", "timed_out", "failed"]
}
